"""How much processes that train one dictionary tell one another."""

from __future__ import annotations

from ._activations import ACTIVATIONS

_FLOAT, _DOUBLE = 4, 8
# Of the outcome of a step, beside which atoms fire; whether a signal came, or a checkpoint is due.
_NUMBERS, _FLAGS = 4, 2


def communication_bytes(
    n_processes: int,
    *,
    parallel: str,
    n_atoms: int,
    n_read: int,
    n_columns: int,
    n_biases: int,
    batch_size: int,
    activation: str = "relu",
    k: int | None = None,
) -> int:
    """Bytes that all processes together send in a step of training.

    Sums go around a ring, in which each of p processes sends 2 (p - 1) / p of a tensor (Patarasuk
    and Yuan 2009, "Bandwidth optimal all-reduce algorithms"). Not counted is what is told once a
    run or a pass, and what dead atoms ask for.

    Parameters
    ----------
    n_processes : int
    parallel : {"data", "atoms"}
    n_atoms : int
    n_read : int
        Numbers that the encoder reads of a sample: channels, where it reads the identity block.
    n_columns : int
        Numbers that the decoder reconstructs of a sample: |G| times channels, or with `compression`
        the coordinates that are kept.
    n_biases : int
        Numbers of the decoder's bias: one column each, or with `augment` and without `compression`
        one a channel.
    batch_size : int
        Samples of a step, of all processes together.
    activation : str, default="relu"
    k : int, optional
        Active codes of a sample, for activations that use it.

    Returns
    -------
    n_bytes : int
        In all; a process sends a ``n_processes``-th of it.

    Raises
    ------
    ValueError
        If there is no such `parallel` or `activation`.

    See Also
    --------
    GroupCrosscoder : Its parameter `parallel`.

    Examples
    --------
    With samples divided, gradients of all atoms are sent; with atoms divided, reconstructions of
    all samples:

    >>> from sklearn_groupcross.crosscoder import communication_bytes
    >>> sizes = dict(n_atoms=1024, n_read=480, n_columns=600, n_biases=600, batch_size=512)
    >>> for parallel in ("data", "atoms"):
    ...     n_bytes = communication_bytes(2, parallel=parallel, **sizes)
    ...     print(parallel, round(n_bytes / 1e6, 1), "MB")
    data 8.9 MB
    atoms 2.5 MB
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation={activation!r} is none of {', '.join(ACTIVATIONS)}.")
    others, rule = n_processes - 1, ACTIVATIONS[activation]
    small = _FLOAT + _DOUBLE * (_NUMBERS + _FLAGS)
    if parallel == "data":
        numbers_an_atom = n_read + n_columns + 1 + len(rule.own_parameters)
        gradients = _FLOAT * (n_atoms * numbers_an_atom + n_biases)
        return 2 * others * (gradients + _DOUBLE * n_atoms + small)
    if parallel == "atoms":
        summed = _FLOAT * batch_size * n_columns + small + _FLOAT
        gathered = _FLOAT * batch_size * (k or 0) if rule.uses_k else 0
        counted = _DOUBLE if rule.revival == "auxk" else 0
        return others * (2 * summed + n_processes * (gathered + counted) + _FLOAT * n_biases)
    raise ValueError(f'parallel is "data" or "atoms"; got {parallel!r}.')
