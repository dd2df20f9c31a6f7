import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross._whole import all_or_nothing


class Thing:
    pass


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), st.integers()),
    st.dictionaries(st.sampled_from("abcd"), st.integers()),
    st.sets(st.sampled_from("abc")),
)
def test_attributes_come_back(before, new, deleted):
    thing = Thing()
    vars(thing).update(before)

    def change():
        with all_or_nothing(thing):
            for name in deleted & set(before):
                delattr(thing, name)
            vars(thing).update(new)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change()
    assert vars(thing) == before
    with all_or_nothing(thing):
        thing.e = 1
    assert vars(thing) == {**before, "e": 1}
