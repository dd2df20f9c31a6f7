"""Data of a made-up run, as the explorer's page is given it."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sklearn_groupcross.groups import Dihedral, PlanarGroup

KINDS = [
    ("directed", "#D55E00", "triangle", 1),
    ("line", "#0072B2", "circle", 2),
    ("grid", "#CC79A7", "square", 4),
    ("round", "#009E73", "diamond", 0),
    ("other", "#999999", "cross", 1),
]
SYMMETRIES = [
    "C1: none",
    "D2: half turn and mirrors (axis 0°, 90°)",
    "D4: quarter turn and mirrors",
    "D32: every turn and mirror",
    "D1: mirror (axis 90°)",
]
TILE, N_SHOWN = 64, 8


def array(values: NDArray[Any], dtype: str) -> dict[str, Any]:
    little = np.ascontiguousarray(values).astype(np.dtype(dtype).newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"dtype": dtype, "shape": list(values.shape), "data": data}


class MockRun:
    """A run of `n` live features; every number is drawn from `seed`."""

    def __init__(
        self, n: int, *, seed: int = 0, name: str = "seed 0", turns: int = 32, n_drawn: int = 400
    ) -> None:
        self.n, self.name, self.n_drawn = n, name, min(n_drawn, n)
        self.rng = np.random.default_rng(seed)
        self.group = Dihedral(turns)
        self.order = self.group.order
        self.words: list[str] = []
        self.number = np.sort(self.rng.permutation(n + n // 8)[:n])
        self.kind = self.rng.choice(len(KINDS), n, p=[0.4, 0.25, 0.1, 0.05, 0.2])
        self.angle = self.rng.integers(0, turns, n)
        n_families = max(2, n // 40)
        size = np.maximum(0, self.rng.geometric(0.35, n) - 1)
        self.family = np.where(size < n_families, size * (n_families // 7 + 1) % n_families, -1)
        self.family[self.rng.random(n) < 0.4] = -1
        self.family, self.kind = self._tidy(self.family, self.kind)
        self.frequency = np.exp(self.rng.normal(-4, 1.3, n)).clip(1e-4, 0.9)

    def _tidy(self, family: NDArray[Any], kind: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Families of two and more, the largest first, each of one kind."""
        labels, counts = np.unique(family[family >= 0], return_counts=True)
        order = labels[np.argsort(-counts, kind="stable")]
        tidy = np.full_like(family, -1)
        for new, old in enumerate(label for label in order if (family == label).sum() > 1):
            tidy[family == old] = new
            kind[family == old] = [1, 0, 0, 2, 4, 3][new % 6]
        return tidy, kind

    def word(self, text: str) -> int:
        if not text:
            return -1
        if text not in self.words:
            self.words.append(text)
        return self.words.index(text)

    def data(self, atlas: str = "pictures", blocks: str = "blocks") -> dict[str, Any]:
        rng, n, order = self.rng, self.n, self.order
        profiles = self._profiles()
        families = self._families()
        pose = np.full(n, -1)
        for family in families:
            for member, element in zip(family["members"], family["poses"], strict=True):
                pose[np.searchsorted(self.number, member)] = element
        symmetry = np.array([self.word(SYMMETRIES[[0, 1, 2, 3, 4][k]]) for k in self.kind])
        confidence = np.where(rng.random(n) < 0.06, np.nan, rng.beta(6, 1, n))
        unsure = self.word("fires on 3 images, too few to resample")
        features = {
            "number": array(self.number, "int32"),
            "kind": array(self.kind, "uint8"),
            "family": array(self.family, "int32"),
            "pose": array(pose, "int32"),
            "frequency": array(self.frequency, "float32"),
            "confidence": array(confidence, "float32"),
            "found_again": array(rng.beta(4, 2, n).round(1), "float32"),
            "symmetry": array(symmetry, "int32"),
            "runner_up": array(np.full(n, self.word("C2: half turn")), "int32"),
            "runner_up_score": array(rng.random(n) * 0.8, "float32"),
            "energy": array(0.8 + 0.2 * rng.random(n), "float32"),
            "minimum": array(0.7 + 0.2 * rng.random(n), "float32"),
            "atom_symmetry": array(symmetry, "int32"),
            "own_symmetry": array(symmetry, "int32"),
            "responses": array(np.full(n, self.word("confirm all of it")), "int32"),
            "remark": array(
                np.where(self.kind == 4, self.word("between line and round"), -1), "int32"
            ),
            "confidence_remark": array(np.where(np.isnan(confidence), unsure, -1), "int32"),
            "period": array(np.choose(self.kind, [360.0, 180.0, 90.0, np.nan, np.nan]), "float32"),
            "half_width": array(20 + 20 * rng.random(n), "float32"),
            "axis": array(self.angle * 360.0 / self.group.n_turns, "float32"),
        }
        irreps = [irrep.name for irrep in self.group.irreps]
        picture = self._shown_pictures()
        mean, spread = np.maximum(profiles, 0.03), 0.05 + 0.1 * rng.random((n, order))
        elements = [0, order // 16, order // 8, order // 4, order // 2, 5 * order // 8]
        firing = self._firing()
        counts = (np.exp(-np.arange(24) / 6) * 2000 * self.frequency[:, None]).astype(int)
        return {
            "name": self.name,
            "sentence": "Of 1,090 features that fire, 487 keep a symmetry of the plane; 96 lines "
            "come back after half a turn, and the largest family has 16 of its 16 poses.",
            "findings": [
                {
                    "name": "rare",
                    "message": "12 % of the features fire on fewer than 1 in 1,000 inputs.",
                    "advice": "Train longer, or with fewer features.",
                }
            ],
            "about": [
                {
                    "title": "Data",
                    "rows": [
                        ["network", "inceptionv1"],
                        ["layer", "mixed3b"],
                        ["orbits", "60,400 of 604 images"],
                    ],
                },
                {"title": "Dictionary", "rows": [["features", str(n)], ["explained", "0.524"]]},
            ],
            "commands": [
                "groupcross run images/ --network inceptionv1 --group dihedral:32 --out run"
            ],
            "group": self._group(),
            "kinds": [
                {
                    "name": kind,
                    "meaning": f"what {kind} means",
                    "color": color,
                    "marker": marker,
                    "count": int((self.kind == k).sum()),
                }
                for k, (kind, color, marker, _) in enumerate(KINDS)
            ],
            "features": features,
            "map": self._map(),
            "profiles": array((127 * profiles).round(), "int8"),
            "spectra": array(255 * rng.dirichlet(np.full(len(irreps), 0.3), n), "uint8"),
            "irreps": irreps,
            "neighbors": self._neighbors(),
            "codes": {
                "largest": array(1 + 9 * rng.random(n), "float32"),
                "counts": array(counts, "int32"),
                "n_silent": array(60_400 - counts.sum(1), "int32"),
            },
            "pictures": {
                "tile": TILE,
                "columns": 16,
                "per_atlas": 256,
                "n": self.n_drawn * 2,
                "n_atlases": -(-self.n_drawn * 2 // 256),
                "atlas": atlas,
                "round": True,
            },
            "blocks": {
                "tile": TILE,
                "columns": 8,
                "per_atlas": 64,
                "n_atlases": -(-n // 64),
                "atlas": blocks,
            },
            "shown": {
                "words": [
                    "strongest",
                    *(f"{i}th strongest" for i in range(2, 6)),
                    "at 75 % of the strongest",
                    "at 50 %",
                    "at 25 %",
                ],
                "picture": array(picture, "int32"),
                "code": array(
                    np.tile([1, 0.97, 0.95, 0.9, 0.88, 0.75, 0.5, 0.25], (n, 1)), "float32"
                ),
                "image": array(
                    np.full((n, N_SHOWN), self.word("photographs/green valley.jpg")), "int32"
                ),
                "firing": {"shape": [7, 7], "values": array(firing, "uint8")},
            },
            "views": {
                "elements": elements,
                "css": [self._css(g) for g in elements],
                "css_of_element": [self._css(g) for g in range(self.order)],
                "picture": array(np.repeat(picture[:, :1], len(elements), 1), "int32"),
            },
            "responses": {
                "mean": array(mean, "float32"),
                "spread": array(spread, "float32"),
                "n": array(np.full(n, 12), "int32"),
            },
            "families": families,
            "symmetry_elements": {SYMMETRIES[1]: [0, self.order // 4]},
            "family_distance": 0.3,
            "visualizations": None,
            "n_features": n + n // 8,
            "n_dead": n // 8,
            "min_frequency": 1e-4,
            "words": self.words,
        }

    def _profiles(self) -> NDArray[Any]:
        turns = self.group.n_turns
        angle = 2 * np.pi * np.arange(turns) / turns
        curves = [
            (1 + np.cos(angle)) / 2 * 1.2 - 0.2,
            np.cos(angle) ** 2,
            np.cos(2 * angle) ** 2,
            np.ones(turns),
            0.6 + 0.4 * np.cos(2 * angle),
        ]
        noise = 0.04 * self.rng.normal(size=(self.n, self.order))
        both = np.stack([np.concatenate([curve, np.roll(curve, turns // 4)]) for curve in curves])
        profiles = both[self.kind] + noise
        profiles[:, 0] = 1
        return profiles.clip(-1, 1)

    def _group(self) -> dict[str, Any]:
        group, turns = self.group, self.group.n_turns
        return {
            "name": repr(group),
            "order": self.order,
            "turns": turns,
            "elements": [group.describe_element(g) for g in range(self.order)],
            "degrees": [float(group.degrees(g)) for g in range(self.order)],
            "mirrored": [int(m) for m in group.mirrored],
            "axes": [
                {
                    "name": "turn",
                    "labels": [f"{360 * i / turns:g}°" for i in range(turns)],
                    "elements": [list(range(turns)), list(range(turns, 2 * turns))],
                    "curves": ["turned", "mirrored, then turned"],
                }
            ],
        }

    def _css(self, g: int) -> str:
        if not g:
            return ""
        mirror = " scaleX(-1)" if self.group.mirrored[g] else ""
        return f"rotate({-self.group.degrees(g):g}deg){mirror}"

    def _map(self) -> dict[str, Any]:
        centers = self.rng.normal(size=(max(self.family) + 2, 2)) * 6
        place = centers[self.family] * np.where(self.family < 0, 0, 1)[:, None]
        place = (
            place + self.rng.normal(size=(self.n, 2)) * np.where(self.family < 0, 5, 0.6)[:, None]
        )
        return {
            "x": array(place[:, 0], "float32"),
            "y": array(place[:, 1], "float32"),
            "caption": "UMAP of the distances. Axes have no meaning; neighbourhoods do.",
        }

    def _neighbors(self) -> dict[str, Any]:
        row = np.stack([(np.arange(self.n) + i) % self.n for i in range(1, 9)], 1)
        return {
            "row": array(row, "int32"),
            "similarity": array(np.tile(127 * np.linspace(0.93, 0.4, 8), (self.n, 1)), "int8"),
            "element": array(self.rng.integers(0, self.order, row.shape), "int32"),
        }

    def _firing(self) -> NDArray[Any]:
        y, x = np.mgrid[-3:4, -3:4]
        bump = 255 * np.exp(-(x**2 + y**2) / 3)
        return np.broadcast_to(bump, (self.n, N_SHOWN, 7, 7))

    def _shown_pictures(self) -> NDArray[Any]:
        """Two pictures a feature that is drawn; the others have those of one that is."""
        first = 2 * (np.arange(self.n) % self.n_drawn)
        picture = first[:, None] + np.arange(N_SHOWN) % 2
        picture[self.rng.random(self.n) < 0.05, 4:] = -1
        return picture

    def _families(self) -> list[dict[str, Any]]:
        families = []
        for label in range(self.family.max() + 1):
            rows = np.flatnonzero(self.family == label)
            families.append(self._family(label, rows))
        return families

    def _family(self, label: int, rows: NDArray[Any]) -> dict[str, Any]:
        turns = self.group.n_turns
        period = {1: turns // 2, 2: turns // 4, 3: 1}.get(int(self.kind[rows[0]]), turns)
        poses = (self.angle[rows] - self.angle[rows[0]]) % period
        members = self.number[rows]
        taken = sorted(set(poses.tolist()))
        gaps = [p for p in range(period) if p not in taken]
        slots = []
        chord = 2 * np.sin(np.pi / period) if period > 1 else 2.0
        diameter = min(0.6, 0.93 * chord)
        for p in range(period):
            a = 2 * np.pi * p / period
            x, y = -np.sin(a), np.cos(a)
            far = 1 + diameter / 2 + 0.13
            here = [int(m) for m, q in zip(members, poses, strict=True) if q == p]
            slots.append(
                {
                    "x": x,
                    "y": y,
                    "diameter": diameter,
                    "name": f"{360 * p / turns:g}°",
                    "name_at": [x * far, y * far],
                    "members": here,
                    "silent": [],
                    "gap": not here,
                }
            )
        side = 1 + diameter / 2 + 0.24
        return {
            "label": label,
            "medoid": int(members[0]),
            "members": members.tolist(),
            "silent": [],
            "poses": poses.tolist(),
            "similarities": [0.9] * len(rows),
            "gaps": gaps,
            "gap_words": [["turned", ", ".join(f"{360 * p / turns:g}°" for p in gaps)]]
            if gaps
            else [],
            "n_poses": period,
            "n_taken": len(taken),
            "description": f"{KINDS[self.kind[rows[0]]][0]}s at {len(taken)} of {period} turns",
            "symmetry": SYMMETRIES[self.kind[rows[0]]],
            "main_kind": KINDS[self.kind[rows[0]]][0],
            "kinds": f"{len(rows)} {KINDS[self.kind[rows[0]]][0]}",
            "found_again": 0.86,
            "spread": 0.11,
            "near": [{"label": (label + 1) % (int(self.family.max()) + 1), "distance": 0.41}],
            "wheel": {
                "extent": [-side, side, -side, side],
                "caption": "around: the turn that carries the medoid there",
                "medoid": {
                    "x": 0.0,
                    "y": 0.0,
                    "diameter": min(0.6, 1.4 * (1 - diameter / 2)),
                    "name": "",
                    "name_at": [0, 0],
                    "members": [int(members[0])],
                    "gap": False,
                },
                "slots": slots,
            },
        }

    def pictures(self) -> list[bytes]:
        tiles = [
            _draw(KINDS[self.kind[i]][3], self._radians(i), self.rng)
            for i in range(self.n_drawn)
            for _ in range(2)
        ]
        return _atlases(tiles, 16, 256)

    def blocks(self) -> list[bytes]:
        profiles = self._profiles()[: self.n, :]
        order = self.order
        tiles = []
        for row in range(self.n):
            block = np.stack([np.roll(profiles[row], g) for g in range(order)])
            grey = ((block + 1) * 127.5).astype(np.uint8)
            image = Image.fromarray(grey).resize((TILE, TILE), Image.Resampling.NEAREST)
            tiles.append(np.asarray(image.convert("RGB")))
        return _atlases(tiles, 8, 64)

    def _radians(self, row: int) -> float:
        group: PlanarGroup = self.group
        return float(np.deg2rad(group.degrees(int(self.angle[row]))))


def _draw(fold: int, angle: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    y, x = np.mgrid[32:-32:-1, -32:32] / 20.0
    u = x * np.cos(angle) + y * np.sin(angle) + 0.1 * rng.normal()
    v = -x * np.sin(angle) + y * np.cos(angle)
    shape = {
        1: np.exp(-(((u - 0.5 + 0.5 * v**2) / 0.25) ** 2)),
        2: np.exp(-((v / 0.2) ** 2)),
        4: np.cos(6 * u) ** 2 * np.cos(6 * v) ** 2,
        0: np.exp(-((np.hypot(u, v) - 0.8) ** 2) / 0.05),
    }[fold]
    ground, ink = rng.integers(40, 160, 3), rng.integers(120, 256, 3)
    rgb = ground + shape[..., None] * (ink - ground) + 9 * rng.normal(size=(TILE, TILE, 3))
    return rgb.clip(0, 255).astype(np.uint8)


def _atlases(tiles: list[NDArray[np.uint8]], columns: int, per_atlas: int) -> list[bytes]:
    found = []
    for start in range(0, len(tiles), per_atlas):
        part = tiles[start : start + per_atlas]
        sheet = np.zeros((-(-len(part) // columns) * TILE, columns * TILE, 3), np.uint8)
        for i, tile in enumerate(part):
            y, x = TILE * (i // columns), TILE * (i % columns)
            sheet[y : y + TILE, x : x + TILE] = tile
        buffer = io.BytesIO()
        Image.fromarray(sheet).save(buffer, "WEBP", quality=80)
        found.append(buffer.getvalue())
    return found


def comparison(first: MockRun, second: MockRun) -> dict[str, Any]:
    n = min(first.n, second.n) * 9 // 10
    rng = np.random.default_rng(5)
    return {
        "how": "Each feature of one is given at most one of the other, so that the sum is largest.",
        "measure": "cosine",
        "threshold": 0.7,
        "first": array(first.number[:n], "int32"),
        "second": array(second.number[:n][::-1], "int32"),
        "similarity": array(rng.beta(5, 2, n), "float32"),
        "element": array(rng.integers(0, first.order, n), "int32"),
    }


def mock_data(
    n: int, *, n_runs: int = 1, title: str = "A made-up run", turns: int = 32
) -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    """What `assemble` takes: data and atlases."""
    runs = [MockRun(n, seed=i, name=f"seed {i}", turns=turns) for i in range(n_runs)]
    atlases: dict[str, list[bytes]] = {}
    raw = []
    for i, run in enumerate(runs):
        raw.append(run.data(f"pictures{i or ''}", f"blocks{i or ''}"))
        atlases[f"pictures{i or ''}"] = run.pictures()
        atlases[f"blocks{i or ''}"] = run.blocks()
    pair = comparison(*runs) if n_runs == 2 else None
    data = {"title": title, "version": "0.1", "noun": "patch", "runs": raw, "comparison": pair}
    return data, atlases
