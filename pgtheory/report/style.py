"""The style sheet of the reports: every rule below ``.pgtheory``, so that a notebook around it keeps its own.

Text takes the colour of the page and lines are half transparent, so light and dark need no second set of rules; the badges
carry their own ground and spell their verdict, so colour is never the only sign.
"""

PAGE = """
:root { color-scheme: light dark; }
body { margin: 0; background: Canvas; color: CanvasText; }
body > .pgtheory { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
"""

SCOPED = """
.pgtheory { font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.pgtheory math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre", math; }
.pgtheory h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
.pgtheory h2 { font-size: 1.2rem; margin: 2.5rem 0 .3rem; padding-top: 1rem; border-top: 1px solid #8888;
  overflow-wrap: anywhere; }
.pgtheory h3 { font-size: 1.05rem; margin: 1.8rem 0 .3rem; }
.pgtheory p, .pgtheory ul { margin: .4rem 0; }
.pgtheory ul { padding-left: 1.3rem; }
.pgtheory code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .9em;
  overflow-wrap: anywhere; }
.pgtheory .quiet { opacity: .8; font-size: .9rem; }
.pgtheory .established { border-left: 4px solid #8888; padding: .3rem .8rem; margin: .8rem 0; }
.pgtheory .established.passed { border-color: #2e8b57; }
.pgtheory .established.failed { border-color: #c0392b; }
.pgtheory .statement { display: flex; flex-wrap: wrap; gap: .4rem 2.5rem; justify-content: center;
  align-items: center; padding: .3rem 0; font-size: 1.15rem; }
.pgtheory .statement > * { max-width: 100%; overflow-x: auto; overflow-y: hidden; padding: .2rem 0; }
.pgtheory dl { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .5rem 0; font-size: .9rem; }
.pgtheory dl div { display: flex; gap: .4rem; }
.pgtheory dt { opacity: .75; }
.pgtheory dd { margin: 0; overflow-wrap: anywhere; }
.pgtheory table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .9rem; background: none;
  color: inherit; }
.pgtheory th, .pgtheory td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid #8886; vertical-align: top;
  background: none; font-variant-numeric: tabular-nums; }
.pgtheory th { font-weight: 600; border-bottom: 2px solid #8888; white-space: nowrap; }
.pgtheory th:first-child, .pgtheory td:first-child, .pgtheory td.note { text-align: left; }
.pgtheory td.note { padding-top: 0; opacity: .8; font-size: .85rem; overflow-wrap: anywhere; }
.pgtheory tr.noted td { border-bottom: none; padding-bottom: 0; }
.pgtheory .badge { display: inline-block; padding: 0 .45rem; border-radius: .6rem; font-size: .78rem; font-weight: 700;
  line-height: 1.5; color: #fff; white-space: nowrap; }
.pgtheory .badge.pass { background: #1f7a4d; }
.pgtheory .badge.fail { background: #b3261e; }
.pgtheory .badge.inconclusive { background: #8a5a00; }
.pgtheory figure { margin: .8rem 0; }
.pgtheory figure svg { max-width: 100%; height: auto; }
.pgtheory figcaption { font-size: .85rem; opacity: .8; }
.pgtheory a { color: inherit; }
@media (max-width: 40rem) {
  .pgtheory thead { display: none; }
  .pgtheory table, .pgtheory tbody, .pgtheory tr, .pgtheory td { display: block; width: auto; text-align: left; }
  .pgtheory tr { padding: .4rem 0; border-bottom: 1px solid #8886; }
  .pgtheory tr.noted { border-bottom: none; padding-bottom: 0; }
  .pgtheory td { border: none; padding: 0; }
  .pgtheory td:first-child { font-weight: 600; }
  .pgtheory td.note { font-weight: 400; }
  .pgtheory .statement { justify-content: start; }
  .pgtheory td[data-label], .pgtheory td.verdict { display: inline-block; margin-right: .9rem; }
  .pgtheory td[data-label]::before { content: attr(data-label) " "; opacity: .7; }
}
"""
