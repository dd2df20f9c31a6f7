// What is known of the run itself.

function RunPage({ run }) {
  const { about, commands } = run.raw;
  return html`<${Heading}>The run: <${Name}>${run.name}<//><//>
    <p class="sentence small"><${Name}>${run.raw.sentence}<//></p>
    ${run.raw.findings && html`<${Section} wide title="Findings"><${Findings} run=${run} /><//>`}
    <div class="columns">
    ${(about || []).map((part, i) => html`<${Section} title=${part.title} key=${i}>
      <table class="about"><tbody>${part.rows.map(([name, value], j) => html`<tr key=${j}><th scope="row"><${Name}>${name}<//></th><td><${Name}>${typeof value === "number" ? figure(value) : String(value)}<//></td></tr>`)}</tbody></table>
    <//>`)}
    </div>
    ${commands && commands.length > 0 && html`<${Section} wide title="To repeat it">
      <ol class="commands">${commands.map((command, i) => html`<li key=${i}><pre tabindex="0" aria-label=${`Command ${i + 1}`}><code>${command}</code></pre><${Button} onClick=${() => copyAndSay(command, "Command")}>Copy<//></li>`)}</ol>
    <//>`}
    <p class="note">Written by sklearn_groupcross ${DATA.version}. Everything is in this file; nothing is loaded from elsewhere.</p>`;
}
