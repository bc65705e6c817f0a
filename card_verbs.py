"""The verb `card`: list, print, compare and check detector cards."""

import argparse
import sys
from collections import Counter
from typing import Any


def add_card(verbs: Any) -> None:
    """Add the verb to those of the command line."""
    verb = verbs.add_parser("card", help="detector cards")
    actions = verb.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the packaged cards")
    show = actions.add_parser("show", help="print a card")
    show.add_argument("name", metavar="NAME|PATH")
    show.add_argument(
        "--resolved", action="store_true", help="with everything it is built on, and where each value comes from"
    )
    diff = actions.add_parser("diff", help="the keys in which two cards differ: values, unit, status")
    diff.add_argument("name", metavar="A")
    diff.add_argument("other", metavar="B")
    check = actions.add_parser("check", help="check a card, print what it implies, warn of suspicious values")
    check.add_argument("name", metavar="NAME|PATH")
    template = actions.add_parser("template", help="a card to fill in, with type, unit, range and meaning of each key")
    template.add_argument("--base", default="besiii", metavar="NAME|PATH", help="what it builds on (%(default)s)")
    template.add_argument("--markdown", action="store_true", help="the table of all keys instead")


def card(options: argparse.Namespace) -> None:
    """List, print, compare or check detector cards."""
    actions = {"list": _list, "show": _show, "diff": _diff, "check": _check, "template": _template}
    actions[options.action](options)


def _list(options: argparse.Namespace) -> None:
    from .geometry.card import card_names, load_card

    for name in card_names():
        print(f"{name:12s} {load_card(name).description}")


def _show(options: argparse.Namespace) -> None:
    from .geometry.card import card_text
    from .geometry.layout import resolved_text

    sys.stdout.write(resolved_text(options.name) if options.resolved else card_text(options.name))


def _template(options: argparse.Namespace) -> None:
    from .geometry.layout import key_table, template_text

    sys.stdout.write(key_table() if options.markdown else template_text(options.base))


def _diff(options: argparse.Namespace) -> None:
    from .geometry.comparison import differences

    rows = [("key", "unit", options.name, options.other, "status", "")]
    for one in differences(options.name, options.other):
        rows.append(
            (
                one.place,
                f"[{one.unit}]" if one.unit else "",
                one.first.value or "-",
                one.second.value or "-",
                one.first.status or "-",
                one.second.status or "-",
            )
        )
    if len(rows) == 1:
        print(f"{options.name} and {options.other} do not differ")
        return
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def _check(options: argparse.Namespace) -> None:
    from .geometry.card import card_hash, load_card
    from .geometry.keys import values
    from .geometry.provenance import of_place, provenance

    checked = load_card(options.name)
    print(f"{options.name}: good, card {checked.name}, sha256 {card_hash(checked)}")
    known = provenance(options.name)
    places = [one.place for one in values(checked) if not isinstance(one.value, (str, bool, type(None)))]
    count = Counter(of_place(known, place).status for place in places)
    print(f"{len(places)} numbers: {', '.join(f'{n} {status}' for status, n in count.most_common())}")

    from .detector.implications import implications
    from .detector.plausibility import suspicions

    for row in implications(checked):
        print(f"  {row.quantity:38s} {row.value:10.4g} {row.unit}".rstrip())
    for sentence in suspicions(checked):
        print(f"warning: {sentence}")
