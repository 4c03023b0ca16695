from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftpd.ftp.languages.catalogue import Catalogue, Template
from ftpd.ftp.wire.replies import Reply
from ftpd.testing.dialogue import Dialogue

OWN = Catalogue(
    "xx",
    {
        "Done": "Fertig",
        "Status:": "Zustand:",
        "{path} deleted.": "{path} ist weg.",
        "{old} is now {new}.": "aus {old} wurde {new}.",
        "Only {count} bytes": "Nur {count} Bytes",
        "No such file": "Nichts da",
        '"{path}" created.': '"{path}" ist neu.',
    },
)


def test_fixed_text_is_translated_with_and_without_a_full_stop():
    assert OWN.text("Done") == "Fertig"
    assert OWN.text("Done.") == "Fertig."


def test_what_is_not_known_stays():
    assert OWN.text("Whatever.") == "Whatever."


def test_a_path_goes_through_untouched():
    assert OWN.text("/a {path} \udcff b deleted.") == "/a {path} \udcff b ist weg."


def test_the_quoted_path_of_257_goes_through_untouched():
    assert OWN.text('"/a "" created. b" created.') == '"/a "" created. b" ist neu.'


def test_a_name_that_could_be_cut_in_two_ways_leaves_the_reply_in_english():
    assert OWN.text("/a is now /b is now /c.") == "/a is now /b is now /c."


def test_a_name_that_makes_a_text_match_two_templates_leaves_it_in_english():
    assert OWN.text("/a is now /b deleted.") == "/a is now /b deleted."


def test_the_cause_behind_a_path_is_translated():
    assert OWN.text("/a: b: No such file.") == "/a: b: Nichts da."
    assert OWN.text("/a: Only 5 bytes.") == "/a: Nur 5 Bytes."


def test_a_number_is_one_word():
    assert OWN.text("/a: Only 5 or 6 bytes.") == "/a: Only 5 or 6 bytes."


def test_a_path_begins_with_a_slash():
    assert OWN.text("x deleted.") == "x deleted."


def test_what_machines_read_stays():
    for code in (213, 215, 220, 227, 228, 229, 251):
        assert OWN.translated(Reply(code, "Done")) == Reply(code, "Done")


def test_lines_are_translated_only_where_they_are_sentences():
    assert OWN.translated(Reply(211, "Status:", ("Done",), "Done")) == Reply(211, "Zustand:", ("Fertig",), "Fertig")
    assert OWN.translated(Reply(250, "Listing", ("Done",), "Done")) == Reply(250, "Listing", ("Done",), "Fertig")


@given(some.text(alphabet=" /:.abisnow", max_size=60), some.text(alphabet=" /:.abisnow", max_size=60))
def test_names_are_whole_in_whatever_comes_out(old, new):
    made = OWN.text(f"/{old} is now /{new}.")
    assert made in (f"/{old} is now /{new}.", f"aus /{old} wurde /{new}.")


def test_hostile_names_cost_time_that_is_linear_in_their_length():
    """A pattern would take quadratic time here; 200,000 characters would be minutes, and the test would not end."""
    name = "/" + " is now " * 25_000
    assert OWN.text(f"{name} is now {name}.") == f"{name} is now {name}."
    causes = "/" + ": Only 5" * 25_000
    assert OWN.text(f"{causes}.") == f"{causes}."


def test_a_template_tells_what_stands_for_its_placeholders():
    assert Template("{old} is now {new}.").match("/a is now /b.") == {"old": "/a", "new": "/b"}
    assert Template("{old} is now {new}.").match("/a was /b.") is None


def test_a_name_that_could_be_cut_in_two_ways_is_not_taken_for_another_template():
    catalogue = Catalogue(
        "xx", {"{old} copied to {new}: {count} files.": "{old} nach {new}: {count}", "{path} leads to {text}.": "{path} -> {text}."}
    )
    text = "/a leads to b copied to /c: d: 5 files."
    assert catalogue.text(text) == text


def test_the_name_that_stou_tells_is_never_changed():
    catalogue = Catalogue(
        "xx", {"{name} has no options": "{name} hat keine", "{text} after {count} bytes": "{text} nach {count} Bytes"}
    )
    for name in ("/x has no options", "/x after 5 bytes"):
        assert catalogue.translated(Reply(150, f"FILE: {name}")) == Reply(150, f"FILE: {name}")


def test_a_file_under_way_keeps_its_name_in_the_status():
    catalogue = Catalogue(
        "xx", {"Status:": "Zustand:", "{name} has no options": "{name} hat keine", "Logged in as {name}": "Als {name}"}
    )
    reply = Reply(211, "Status:", ("RETR /foo has no options", "Logged in as a has no options"), "End")
    assert catalogue.translated(reply).lines == ("RETR /foo has no options", "Als a has no options")


@pytest.mark.parametrize("tag", ["de", "fr"])
def test_every_line_of_stat_is_translated(tag):
    english = Dialogue(login="ann").says("STAT").hears(211).last
    other = Dialogue(login="ann").says(f"LANG {tag}").hears(200).says("STAT").hears(211).last
    words_of_the_protocol = " TYPE BINARY, STRU F, MODE S"
    assert [line for line in other.lines if line in english.lines] == [words_of_the_protocol]
