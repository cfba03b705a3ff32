#!/usr/bin/env bash
# Make this folder's fonts anew from IBM's packages: needs npm, and a Python with fonttools and brotli.
set -euo pipefail

cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent @ibm/plex-sans@1.1.0 @ibm/plex-sans-arabic@1.1.0 @ibm/plex-sans-jp@3.0.0)
for package in "$work"/*.tgz; do
    tar xzf "$package" -C "$work" --wildcards '*/complete/woff2/*.woff2' --strip-components=4
done

cut_out() { # source, target, characters, features
    find "$work" -name "$1.woff2" -exec python3 -m fontTools.ttLib.woff2 decompress -o "$work/whole.ttf" {} \;
    python3 -m fontTools.subset "$work/whole.ttf" --output-file="$2.ttf" --unicodes="$3" \
        --layout-features="$4" --no-hinting --notdef-outline --no-glyph-names --name-IDs=0,13,14 \
        --drop-tables+=DSIG,STAT,gasp,meta,vhea,vmtx,VORG,BASE
}

european='U+20-24F,U+2BB-2DD,U+300-36F,U+370-3FF,U+400-52F,U+1E00-1EFF,U+2000-206F,U+2070-209F'
european+=',U+20A0-20C0,U+2100-214F,U+2190-2193,U+2212,U+2248,U+2260-2265,U+2713'
arabic='U+20,U+A0,U+600-6FF,U+750-77F,U+FD3E-FD3F,U+FDFC,U+200C-200F'
# Kana, signs, the kanji of JIS X 0208, and the four of the jōyō list that are not among these.
japanese=$(python3 - <<'PYTHON'
cells = (bytes([160 + row, 160 + cell]) for row in range(16, 85) for cell in range(1, 95))
kanji = {cell.decode("euc_jp", "ignore") for cell in cells} - {""} | set("塡剝頰𠮟")
print(",".join(f"U+{ord(sign):X}" for sign in sorted(kanji)))
PYTHON
)
japanese+=',U+3000-301F,U+3041-30FF,U+FF01-FF5E,U+FFE5'

for weight in Regular SemiBold; do
    cut_out "IBMPlexSans-$weight" "sans-${weight,,}" "$european" kern,ccmp,locl,mark,mkmk
    cut_out "IBMPlexSansArabic-$weight" "arabic-${weight,,}" "$arabic" \
        kern,ccmp,locl,mark,mkmk,init,medi,fina,isol,rlig,liga,calt,curs,rclt
done
cut_out IBMPlexSansJP-Medium japanese-medium "$japanese" kern
