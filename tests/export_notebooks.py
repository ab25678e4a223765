"""Execute the notebooks and export them with their outputs: `make notebooks`.

They look at TAPEHOUSE_LAKE, else at what `make demo` left, else at a small lake made here. Charts get a PNG
beside their Vega-Lite, since many viewers (and marimo's own HTML page without a network) show nothing else.
"""

import base64
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Final

import nbformat
import vl_convert

from tests.notebooks.a_lake import build_lake

ROOT: Final = Path(__file__).resolve().parents[1]
NOTEBOOKS: Final = ("first_look", "first_backtest", "books")
DEMO_LAKE: Final = ROOT / "out" / "demo" / "lake"
LIMIT_S: Final = 600
_VEGA: Final = "application/vnd.vegalite"
_PNG_SCALE: Final = 1.25
_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"


def main(out: Path = ROOT / "build" / "notebooks") -> list[Path]:
    """Write one .ipynb for each notebook into `out`; print and return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    lake = _lake(out)
    written = [export(name, out, lake) for name in NOTEBOOKS]
    for path in written:
        print(os.path.relpath(path))  # noqa: T201 - what this program is for
    return written


def export(name: str, out: Path, lake: Path) -> Path:
    """Run one notebook on a lake and write it with its outputs; an error in a cell is an error here."""
    target = out / f"{name}.ipynb"
    source = ROOT / "notebooks" / f"{name}.py"
    command = [sys.executable, "-m", "marimo", "export", "ipynb", str(source), "--include-outputs", "-f"]
    environment = {**os.environ, "TAPEHOUSE_LAKE": str(lake), "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, "-o", str(target)], check=True, cwd=out, env=environment, timeout=LIMIT_S)
    notebook = nbformat.read(target, as_version=4)  # type: ignore[no-untyped-call]  # nbformat is half typed
    for cell in notebook.cells:
        cell.outputs = [_portable(each) for each in cell.get("outputs", []) if not _is_control(each)]
    nbformat.write(notebook, target)  # type: ignore[no-untyped-call]  # likewise
    return target


def _lake(out: Path) -> Path:
    if given := os.environ.get("TAPEHOUSE_LAKE"):
        return Path(given).resolve()
    if DEMO_LAKE.is_dir():
        return DEMO_LAKE
    lake = out / "small" / "lake"
    return lake if (lake / "warehouse.duckdb").is_file() else build_lake(lake.parent).path


def _portable(output: Any) -> Any:  # noqa: ANN401 - nbformat's nodes are dictionaries of anything
    """Give a chart a picture."""
    data = output.get("data", {})
    for kind in [each for each in data if each.startswith(_VEGA)]:
        png = vl_convert.vegalite_to_png(data[kind], scale=_PNG_SCALE)
        data["image/png"] = base64.b64encode(_squeezed(png)).decode()
    return output


def _squeezed(png: bytes) -> bytes:
    """Deflate a PNG's pixels anew: whoever drew it was in a hurry, at more than twice the size."""
    chunks, place = [], len(_PNG_MAGIC)
    while place < len(png):
        n_bytes = int.from_bytes(png[place : place + 4], "big")
        chunks.append((png[place + 4 : place + 8], png[place + 8 : place + 8 + n_bytes]))
        place += n_bytes + 12
    pixels = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    kept = [each for each in chunks if each[0] != b"IDAT"]
    kept.insert(-1, (b"IDAT", zlib.compress(pixels, 9)))  # before the end
    parts = [
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in kept
    ]
    return b"".join([_PNG_MAGIC, *parts])


def _is_control(output: Any) -> bool:  # noqa: ANN401 - likewise
    """Tell a dropdown and its like, which are markup without meaning outside marimo."""
    return "marimo-dropdown" in str(output.get("data", {}).get("text/markdown", ""))


if __name__ == "__main__":
    main()
