"""TOML files that ship with the package, found by name, and those of users, found by path.

A user's file may begin with `base = "NAME|PATH"`: it then holds only what differs from that one.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from .schema import SchemaError, parse_toml


class Layer(NamedTuple):
    """One file of a chain: how messages name it, its text, and its own tables."""

    source: str
    text: str
    tables: dict[str, Any]


class Shelf(NamedTuple):
    """The files of one kind: `noun` is what a message calls one of them, `package` where they ship.

    `replaced` names, by table, keys of a base that are dropped where the file on top of it gives any of some others:
    two ways to say the same thing.
    """

    noun: str
    package: str
    replaced: Mapping[str, Mapping[str, tuple[str, ...]]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the packaged files."""
        folder = resources.files(self.package)
        return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))

    def text(self, name_or_path: str | Path) -> str:
        """Return the text of a packaged file, or of a user's.

        Raises
        ------
        FileNotFoundError, OSError
            If it is neither a packaged name nor a file that can be read.
        SchemaError
            If the file is not text.
        """
        if str(name_or_path) in self.names():
            return (resources.files(self.package) / f"{name_or_path}.toml").read_text(encoding="utf-8")
        try:
            return Path(name_or_path).read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            allowed = f"allowed {', '.join(self.names())} or the path of a TOML file"
            raise FileNotFoundError(f"{name_or_path}: no such {self.noun}, {allowed}") from None
        except OSError as error:
            raise OSError(f"{name_or_path}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise SchemaError(f"{name_or_path}: not a text file, allowed TOML in UTF-8") from None

    def read(self, name_or_path: str | Path) -> tuple[str, dict[str, Any]]:
        """Return how messages name a file, and its tables, completed by the files it builds on."""
        layers = self.layers(name_or_path)
        tables = layers[-1].tables
        for layer in reversed(layers[:-1]):
            tables = _merged(self._without_replaced(tables, layer.tables), layer.tables)
        return layers[0].source, tables

    def layers(self, name_or_path: str | Path) -> tuple[Layer, ...]:
        """Return a file, the one it builds on, and so on; the path of a base starts in the folder of its file."""
        if not isinstance(name_or_path, (str, Path)):
            raise TypeError(f"{self.noun} = {name_or_path!r}, must be a name or a path")
        names, chain, seen = self.names(), [], set[str]()
        place = name_or_path
        while True:
            source = f"{place}.toml" if str(place) in names else str(place)
            text = self.text(place)
            tables = parse_toml(text, source)
            base = tables.pop("base", None)
            chain.append(Layer(source, text, tables))
            seen.add(_identity(place, names))
            if base is None:
                return tuple(chain)
            if isinstance(base, str):
                place = base if base in names else Path(place).parent / base
            if not isinstance(base, str) or _identity(place, names) in seen:
                raise SchemaError(f"{source}: base = {base!r}, allowed the name or path of another {self.noun}")

    def _without_replaced(self, below: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
        gone = self.dropped(over)
        result = dict(below)
        for name, table in below.items():
            if isinstance(table, dict):
                result[name] = {key: value for key, value in table.items() if f"{name}.{key}" not in gone}
        return result

    def dropped(self, over: dict[str, Any]) -> set[str]:
        """Return the places "table.key" of a base that the tables of a file on top of it replace."""
        return {
            f"{table}.{key}"
            for table, keys in self.replaced.items()
            for key, others in keys.items()
            if isinstance(over.get(table), dict) and any(other in over[table] for other in others)
        }


def _identity(place: str | Path, names: tuple[str, ...]) -> str:
    return str(place) if str(place) in names else str(Path(place).resolve())


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = _merged(base[key], value) if both else value
    return result
