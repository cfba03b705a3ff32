"""The fixed parts of an XLSX file: what stands around a sheet's rows, its styles, its contents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_LETTERS = 26
# Places in the list of styles below.
HEAD_STYLE = 1
INSTANT_STYLE = 2
# By how many decimals the currency has.
MONEY_STYLES = {0: 3, 2: 4, 3: 5}


def letters(place: int) -> str:
    """Return what Excel calls the column at a place: A for 0, Z for 25, AA for 26."""
    name = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, _LETTERS)
        name = chr(ord("A") + letter) + name
    return name


def sheet_path(number: int) -> str:
    """Return where in the archive a sheet stands."""
    return f"xl/worksheets/sheet{number}.xml"


def sheet_head(heads: Sequence[tuple[str, int]]) -> str:
    """Return what comes before a sheet's rows, and its heading, which stays when one scrolls."""
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
        for number, (_, width) in enumerate(heads, 1)
    )
    titles = "".join(
        f'<c r="{letters(place)}1" s="{HEAD_STYLE}" t="inlineStr">'
        f"<is><t>{escape(title)}</t></is></c>"
        for place, (title, _) in enumerate(heads)
    )
    return (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        f'</sheetView></sheetViews><cols>{columns}</cols><sheetData><row r="1">{titles}</row>'
    )


def sheet_tail(columns: int, last_row: int) -> str:
    """Return what comes after a sheet's rows: one may choose by any column what is shown."""
    return f'</sheetData><autoFilter ref="A1:{letters(columns - 1)}{last_row}"/></worksheet>'


def book(title: str, columns: int, last_rows: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of what names the sheets; `last_rows` are those of each."""
    names = [title, *(f"{title} {number}" for number in range(2, len(last_rows) + 1))]
    yield "xl/workbook.xml", _workbook(names, columns, last_rows)
    yield "xl/styles.xml", _STYLES
    yield (
        "xl/_rels/workbook.xml.rels",
        _relationships(
            [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(names) + 1)]
            + [("styles", "styles.xml")]
        ),
    )
    yield "_rels/.rels", _relationships([("officeDocument", "xl/workbook.xml")])
    yield "[Content_Types].xml", _content_types(len(names))


def _workbook(names: Sequence[str], columns: int, last_rows: Sequence[int]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(names, 1)
    )
    # What Excel itself keeps beside each sheet that is filtered.
    filters = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{place}" hidden="1">'
        f"'{escape(name)}'!$A$1:${letters(columns - 1)}${last_row}</definedName>"
        for place, (name, last_row) in enumerate(zip(names, last_rows, strict=True))
    )
    return (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        f"<bookViews><workbookView/></bookViews><sheets>{sheets}</sheets><definedNames>{filters}</definedNames></workbook>"
    )


def _relationships(parts: Sequence[tuple[str, str]]) -> str:
    found = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(parts, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{found}</Relationships>'


def _content_types(sheets: int) -> str:
    parts = [("/xl/workbook.xml", "sheet.main"), ("/xl/styles.xml", "styles")]
    parts += [(f"/{sheet_path(number)}", "worksheet") for number in range(1, sheets + 1)]
    found = "".join(
        f'<Override PartName="{path}" ContentType="{_TYPES}.{kind}+xml"/>' for path, kind in parts
    )
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{found}</Types>'
    )


_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="#,##0.000"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="6"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    + "".join(
        f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0"'
        ' applyNumberFormat="1"/>'
        for number in (164, 3, 4, 165)
    )
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/>'
    "</cellStyles></styleSheet>"
)
