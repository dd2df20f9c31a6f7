"""Every law is shown to fail where it should: mutants of the code, and the test that kills each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import Phase, settings

from sklearn_groupcross.groups import (
    Cyclic,
    FiniteGroup,
    GroupFourier,
    Irrep,
    PlanarGroup,
    Subgroup,
    _finite_group,
)
from tests.groups import test_finite_group as laws
from tests.groups import test_fourier as fourier
from tests.groups import test_irreps as irreps
from tests.groups import test_stabilizer as stabilizers

settings.register_profile(
    "mutants", parent=settings.get_profile("groupcross"), phases=[Phase.generate]
)

Patch = Callable[[pytest.MonkeyPatch], None]


def swapped_table_entries(patch: pytest.MonkeyPatch) -> None:
    check = _finite_group.check_cayley_table

    def swapped(table):
        table = np.array(check(table))
        if len(table) > 3:
            table[2, [1, 3]] = table[2, [3, 1]]
        return table

    patch.setattr(_finite_group, "check_cayley_table", swapped)


def set_on(owner: type, name: str, value: object) -> Patch:
    return lambda patch: patch.setattr(owner, name, value)


def upright_mirrors(patch: pytest.MonkeyPatch) -> None:
    """Irreps of a dihedral group in which a reflection is a mere turn."""
    original = PlanarGroup._find_irreps

    def mutant(group):
        found = original(group)
        for rho in found:
            if rho.dimension == 2:
                rho.matrices[group.mirrored, :, 1] *= -1
        return found

    patch.setattr(PlanarGroup, "_find_irreps", mutant)


def one_irrep_twice(patch: pytest.MonkeyPatch) -> None:
    original = PlanarGroup._find_irreps
    patch.setattr(
        PlanarGroup, "_find_irreps", lambda group: [*original(group)[1:], *original(group)[:1] * 2]
    )


def transposed_forward(patch: pytest.MonkeyPatch) -> None:
    """ρ(g)ᵀ for ρ(g), in the transform and its inverse alike: inversion cannot notice."""

    def forward(self):
        order = self.group.order
        return np.concatenate(
            [rho.matrices.swapaxes(1, 2).reshape(order, -1).T for rho in self.group.irreps]
        )

    patch.setattr(GroupFourier, "_forward", property(forward))


correlate = GroupFourier.correlate
conjugacy_classes = FiniteGroup.conjugacy_classes
subgroups = FiniteGroup.subgroups

MUTANTS: dict[str, tuple[Patch, Callable[[], None]]] = {
    "two table entries swapped": (
        swapped_table_entries,
        laws.test_group_axioms,
    ),
    "left for right translation": (
        set_on(FiniteGroup, "right_translation", lambda self, h: self.cayley_table[h]),
        laws.test_right_translations_are_a_homomorphism,
    ),
    "left translation without the inverse": (
        set_on(FiniteGroup, "left_translation", lambda self, h: self.cayley_table[h]),
        laws.test_translations_are_commuting_homomorphisms,
    ),
    "left translation on the right": (
        set_on(
            FiniteGroup, "left_translation", lambda self, h: self.cayley_table[:, self.inverse(h)]
        ),
        laws.test_translations_are_commuting_homomorphisms,
    ),
    "translates along the wrong axis": (
        set_on(FiniteGroup, "translates", lambda self, blocks: blocks[self.cayley_table]),
        laws.test_translations_are_commuting_homomorphisms,
    ),
    "a conjugate without its inverse": (
        set_on(
            Subgroup,
            "conjugate",
            lambda self, g: Subgroup(
                self.group, tuple(sorted(self.group.cayley_table[g, list(self.elements)].tolist()))
            ),
        ),
        laws.test_left_and_right_cosets_agree_for_normal_subgroups_alone,
    ),
    "conjugation from the other side": (
        set_on(
            Subgroup,
            "conjugate",
            lambda self, g: Subgroup(
                self.group,
                tuple(
                    sorted(
                        self.group.cayley_table[
                            self.group.cayley_table[self.group.inverse(g), list(self.elements)], g
                        ].tolist()
                    )
                ),
            ),
        ),
        stabilizers.test_a_symmetrized_feature_has_the_stabilizer_it_was_given,
    ),
    "cosets always left": (
        set_on(
            FiniteGroup,
            "cosets",
            lambda self, subgroup, side="left": tuple(
                sorted(
                    {
                        tuple(row)
                        for row in np.sort(
                            self.cayley_table[:, list(subgroup.elements)], axis=1
                        ).tolist()
                    }
                )
            ),
        ),
        laws.test_left_and_right_cosets_agree_for_normal_subgroups_alone,
    ),
    "subgroups that lost an element": (
        set_on(
            FiniteGroup,
            "subgroups",
            lambda self: tuple(Subgroup(self, s.elements[:-1] or (0,)) for s in subgroups(self)),
        ),
        laws.test_lagrange_for_every_subgroup_and_its_cosets,
    ),
    "every subgroup called normal": (
        set_on(Subgroup, "is_normal", property(lambda self: True)),
        laws.test_left_and_right_cosets_agree_for_normal_subgroups_alone,
    ),
    "a conjugacy class lost": (
        set_on(
            FiniteGroup,
            "conjugacy_classes",
            lambda self: conjugacy_classes(self)[:-1] or ((0,),) * 2,
        ),
        laws.test_class_equation,
    ),
    "a restriction that keeps the parent's order of indices": (
        set_on(
            FiniteGroup,
            "restrict",
            lambda self, subgroup: Cyclic(subgroup.order),
        ),
        laws.test_restrictions_multiply_like_the_parent,
    ),
    "mirrors without their sign": (
        upright_mirrors,
        irreps.test_irreps_are_orthogonal_homomorphisms,
    ),
    "one irrep twice": (
        one_irrep_twice,
        irreps.test_they_are_all_and_each_once,
    ),
    "every irrep of real type": (
        set_on(Irrep, "type", property(lambda self: 1)),
        irreps.test_coefficients_are_orthogonal_with_the_commutant,
    ),
    "the weight without t, inversion": (
        set_on(Irrep, "weight", property(lambda self: self.dimension / self.group.order)),
        fourier.test_fourier_inversion,
    ),
    "the weight without t, Plancherel": (
        set_on(Irrep, "weight", property(lambda self: self.dimension / self.group.order)),
        fourier.test_plancherel,
    ),
    "the weight without t, power": (
        set_on(Irrep, "weight", property(lambda self: self.dimension / self.group.order)),
        fourier.test_power_sums_to_one_and_ignores_translation,
    ),
    "a forgotten conjugate (ρᵀ for ρ), convolution": (
        transposed_forward,
        fourier.test_convolution_theorem,
    ),
    "a forgotten conjugate (ρᵀ for ρ), correlation": (
        transposed_forward,
        fourier.test_correlations_equal_the_direct_sum,
    ),
    "correlation of the inverse": (
        set_on(
            GroupFourier,
            "correlate",
            lambda self, left, right: correlate(self, right, left).transpose(1, 0, 2),
        ),
        fourier.test_correlations_equal_the_direct_sum,
    ),
    "isotypic projection by the product, not the quotient": (
        set_on(
            FiniteGroup,
            "isotypic_projection",
            lambda self, irrep: irrep.weight * irrep.character[self.cayley_table],
        ),
        fourier.test_power_sums_to_one_and_ignores_translation,
    ),
}


@pytest.fixture
def quick_search():
    """Look for a counterexample without making it small."""
    settings.load_profile("mutants")
    yield
    settings.load_profile("groupcross")


@pytest.mark.parametrize("name", MUTANTS)
def test_the_law_kills_the_mutant(name, monkeypatch, quick_search):
    mutate, law = MUTANTS[name]
    law()  # holds for the code as it is
    mutate(monkeypatch)
    with pytest.raises((AssertionError, ArithmeticError, ValueError, StopIteration, IndexError)):
        law()
