// The search page reads a summary of each result from its page, which a browser allows only from a
// server. From the file system results have titles alone.
if (window.location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
