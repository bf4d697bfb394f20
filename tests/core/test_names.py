import pytest

from core.dataset.names import check_subject_name, safe_name, same_on_some_disks
from core.errors import Refused


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("..\\..\\x.png", "x.png"),
        ("C:\\photos\\x.png", "x.png"),
        (".hidden.jpg", "hidden.jpg"),
        ("...", "photo"),
        ("a\x00b.jpg", "a_b.jpg"),
        ("n\nl.jpg", "n_l.jpg"),
        ("-rf.jpg", "rf.jpg"),
        ("日本.jpg", "日本.jpg"),
        ("תמונה.jpg", "תמונה.jpg"),
        ("صورة ١.jpg", "صورة ١.jpg"),
        ("a\u202egnp.jpg", "a_gnp.jpg"),
        ("😀.jpg", "photo.jpg"),
        ("me 😀.jpg", "me _.jpg"),
        ("x" * 300 + ".JPG", "x" * 80 + ".jpg"),
        ("𠮷" * 300 + ".jpg", "𠮷" * 50 + ".jpg"),
        ("a b (1).png", "a b (1).png"),
        ("CON.jpg", "photo-CON.jpg"),
        ("nul.tar.jpg", "photo-nul.tar.jpg"),
        ("console.jpg", "console.jpg"),
        ("com1.png", "photo-com1.png"),
        ("trailing...jpg", "trailing.jpg"),
        ("trailing .jpg. ", "trailing.jpg"),
        ("<img src=x onerror=alert(1)>.png", "_img src_x onerror_alert(1)_.png"),
        ("e\u0301.jpg", "é.jpg"),
    ],
)
def test_names_lose_what_leads_elsewhere(given, safe):
    assert safe_name(given) == safe
    assert safe_name(safe) == safe and len(safe.encode()) < 240


def test_capitals_and_ways_to_write_an_accent_are_one_name():
    assert same_on_some_disks("É") == same_on_some_disks("e\u0301") and same_on_some_disks("a") != same_on_some_disks("b")


@pytest.mark.parametrize("name", ["anna", "Anna-2", "José", "мария", "a.b"])
def test_a_person_may_have_a_name_of_any_script(name):
    assert check_subject_name(f" {name} ", []) == name


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".hidden", "x" * 41, "con", "a b", "a\nb", "<b>", "-x", "😀", "\x00", "anna", "ANNA", "cache"])
def test_other_names_are_refused_with_a_better_one(name):
    with pytest.raises(Refused) as raised:
        check_subject_name(name, ["anna", "cache"])
    assert raised.value.fix
