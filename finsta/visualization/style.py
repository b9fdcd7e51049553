"""The page's style sheet: light and dark, no fonts or files from elsewhere."""

CSS = '''
:root{--bg:#fff;--fg:#1c2430;--muted:#5c6675;--line:#d5dae1;--card:#eef3fa;--pill:#fdf3e1;
--chip:#fff;--panel:#fafbfc;--heat:#2f7ed8}
@media (prefers-color-scheme:dark){:root{--bg:#14181f;--fg:#e6eaf0;--muted:#9aa5b4;
--line:#353e4b;--card:#222c3a;--pill:#3a3122;--chip:#14181f;--panel:#191f28;--heat:#4a90e2}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",Roboto,Helvetica,Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:26px;line-height:1.25;margin:0 0 6px}
h2{font-size:20px;margin:34px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
h3{font-size:17px;margin:4px 0 8px}h4{font-size:15px;margin:14px 0 4px}
p{margin:8px 0;max-width:80ch;overflow-wrap:anywhere}
.muted{color:var(--muted);fill:var(--muted)}
.panel{border:1px solid var(--line);border-radius:10px;background:var(--panel);
padding:16px 18px;margin:18px 0}
blockquote{margin:6px 0 12px;padding:8px 14px;border-left:4px solid var(--line);font-size:17px;
overflow-wrap:anywhere}
mark{background:none;color:inherit;border-bottom:3px solid var(--c);padding-bottom:1px}
.wide{overflow-x:auto}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:10px;
margin:10px 0}
figure{margin:0}.strip svg{width:100%;display:block;border-radius:4px}
figcaption{color:var(--muted);font-size:13px;margin:2px 0}
.drawing,.chart{margin:18px 0}.drawing figcaption,.chart figcaption{font-weight:600;
color:var(--fg);font-size:14px;margin-bottom:6px}
svg{max-width:100%;height:auto;font:13px system-ui,"Segoe UI","DejaVu Sans",Roboto,Helvetica,
Arial,sans-serif}
.wide>svg{max-width:none}
svg text{fill:var(--fg)}svg text.muted{fill:var(--muted)}svg .small{font-size:12px}
svg .strong{font-weight:600}
.card{fill:var(--card);stroke:var(--muted);stroke-width:1}
.pill{fill:var(--pill);stroke:var(--muted);stroke-width:1}
.card-text{font-weight:600}.pill-text{font-style:italic}
.chip{fill:var(--chip);stroke:var(--line)}svg .chip-text{font-size:11.5px}
.link,.cross,.curve{fill:none;stroke:var(--muted);stroke-width:1.3}
.curve{stroke-width:2}.cross{stroke-opacity:.75}.arrowhead{fill:var(--muted)}
svg .score{font-size:11.5px;font-weight:600;paint-order:stroke;stroke:var(--panel);
stroke-width:4px}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.box{fill:none;stroke-width:2}svg .tag{font-size:11px;fill:#fff;font-weight:600}
table{border-collapse:collapse;margin:10px 0;font-size:14px}
caption{text-align:left;font-weight:600;padding:4px 0}
th,td{border-bottom:1px solid var(--line);padding:5px 12px 5px 0;text-align:left;
vertical-align:top}
th{font-weight:600;color:var(--muted)}td.num{text-align:right;font-variant-numeric:tabular-nums}
td.heat{padding-left:8px;min-width:90px;
background:linear-gradient(90deg,color-mix(in srgb,var(--heat) 40%,transparent) var(--s),
transparent var(--s));font-variant-numeric:tabular-nums}
.dot{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:7px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:10px 0;font-size:14px}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
details{margin:8px 0}summary{cursor:pointer;color:var(--muted)}
@media print{.panel{break-inside:avoid-page}}
'''
