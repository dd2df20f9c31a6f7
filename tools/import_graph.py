"""What imports what in the package, and what else its shape shows.

Run as ``python tools/import_graph.py [TREE]``; the tree is read, never imported. Every import
counts. A room is a package or a module at the top of the package; what begins with an underscore
there is the ground, which all rooms may use.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "sklearn_groupcross"
GROUND = "ground"
Modules = dict[str, tuple[str, ast.Module]]  # source and its tree, by dotted name without PACKAGE


class Import(NamedTuple):
    """One module that another imports, and the names that it takes out of it."""

    source: str
    target: str
    names: tuple[str, ...]
    kind: str  # "", "in a function" or "for types"


def read_modules(tree: Path) -> Modules:
    modules = {}
    for path in sorted((tree / PACKAGE).rglob("*.py")):
        parts = path.relative_to(tree / PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        modules[name] = (text, ast.parse(text))
    return modules


def room_of(module: str) -> str:
    top = module.partition(".")[0]
    return GROUND if top.startswith("_") else top or "(root)"


def is_private(name: str) -> bool:
    return name[:1] == "_" != name[1:2]


def nodes_with_kind(node: ast.AST, kind: str = "") -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.FunctionDef):
        kind = "in a function"
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        kind = "for types"
    yield node, kind
    for child in ast.iter_child_nodes(node):
        yield from nodes_with_kind(child, kind)


def imports_of(name: str, modules: Modules) -> Iterator[Import]:
    is_package = not name or any(other.startswith(f"{name}.") for other in modules)
    parents = [PACKAGE, *filter(None, name.split("."))][: None if is_package else -1]
    for node, kind in nodes_with_kind(modules[name][1]):
        if isinstance(node, ast.Import):
            pairs = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) + 1 - node.level] if node.level else []
            full = ".".join([*base, *filter(None, [node.module])])
            pairs = [(full, alias.name) for alias in node.names]
        else:
            continue
        taken: dict[str, list[str]] = {}
        for module, imported in pairs:
            package, _, target = module.partition(".")
            if package == PACKAGE:
                inner = f"{target}.{imported}".strip(".")  # a module, or a name in one
                taken.setdefault(inner if inner in modules else target, []).append(imported)
        for target, found in taken.items():
            yield Import(name, target, tuple(found), kind)


def circles(imports: list[Import]) -> list[list[str]]:
    """Sets of modules that reach one another: the strongly connected components."""
    onward = defaultdict(set)
    for each in imports:
        onward[each.source].add(each.target)

    def reached_from(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = onward.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    reached = {module: reached_from(module) for module in list(onward)}
    found = (sorted(b for b in seen if a in reached.get(b, ())) for a, seen in reached.items())
    return sorted(list(circle) for circle in {tuple(each) for each in found if each})


def private_imports(imports: list[Import]) -> list[str]:
    """Imports of another room's private modules, and of private names."""
    found = []
    for source, target, names, _ in imports:
        modules = [] if room_of(target) == GROUND else target.split(".")
        if room_of(source) != room_of(target) and any(map(is_private, (*modules, *names))):
            found.append(f"{source} <- {target}: {', '.join(names)}")
    return found


def private_members(modules: Modules) -> list[str]:
    """Private members that a room uses and that other rooms alone define, as far as names say."""
    defined = defaultdict(set)
    used = []
    for module, (_, tree) in modules.items():
        room = room_of(module)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined[node.name].add(room)
            elif isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if isinstance(node.ctx, ast.Store):
                    defined[name].add(room)
                elif isinstance(node, ast.Attribute) and is_private(name):
                    used.append((name, module, ast.unparse(node)))
    return [
        f"{module}: {text}, of {', '.join(sorted(defined[member]))}"
        for member, module, text in used
        if defined[member] and room_of(module) not in defined[member]
    ]


def activation_tests(modules: Modules) -> Counter[str]:
    """How often modules ask in passing which activation they have before them."""
    found: Counter[str] = Counter()
    for module, (_, tree) in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                asked = getattr(node.left, "attr", getattr(node.left, "id", ""))
                of_none = ast.unparse(node.comparators[0]) == "None"
                asked = asked.rstrip("_")
                if asked == "activation" or (asked in ("k", "log_threshold") and of_none):
                    found[module] += 1
    return found


def constructor_parameters(modules: Modules, class_name: str) -> list[str]:
    for _, tree in modules.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == class_name:
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                        arguments = method.args
                        return [a.arg for a in (*arguments.args[1:], *arguments.kwonlyargs)]
    return []


def print_rooms(modules: Modules, imports: list[Import]) -> None:
    files = Counter(map(room_of, modules))
    lines: Counter[str] = Counter()
    for module, (text, _) in modules.items():
        lines[room_of(module)] += text.count("\n")
    across = Counter((room_of(i.source), room_of(i.target)) for i in imports)
    rooms = sorted(files, key=lambda room: (-sum(b == room for _, b in across), room))
    print(f"{sum(files.values())} files, {sum(lines.values())} lines, {len(imports)} imports\n")
    print(f"{'imports of (columns) by (rows)':<30}{'files':>6}{'lines':>7}", end="")
    print(*(f"{room[:9]:>10}" for room in rooms), sep="")
    for a in rooms:
        cells = (f"{across[a, b] or '.':>10}" for b in rooms)
        print(f"{a:<30}{files[a]:>6}{lines[a]:>7}", *cells, sep="")


def main(tree: Path) -> None:
    modules = read_modules(tree)
    imports = [each for name in modules for each in imports_of(name, modules)]
    print_rooms(modules, imports)
    found = circles(imports)
    print(f"\n{len(found)} circles of imports")
    for circle in found:
        print(f"- {', '.join(circle)}")
        for i in imports:
            if i.source in circle and i.target in circle and i.kind:
                print(f"    {i.source} imports {i.target} {i.kind}")
    private, members = private_imports(imports), private_members(modules)
    print(
        f"\n{len(private)} imports of other rooms' private modules or names", *private, sep="\n- "
    )
    print(f"\n{len(members)} uses of other rooms' private members", *members, sep="\n- ")
    tests = activation_tests(modules)
    print(f"\n{tests.total()} tests of which activation it is, in {len(tests)} modules")
    print(", ".join(f"{module} {n}" for module, n in sorted(tests.items())))
    parameters = constructor_parameters(modules, "GroupCrosscoder")
    print(f"\nGroupCrosscoder takes {len(parameters)} parameters: {', '.join(parameters)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]))
