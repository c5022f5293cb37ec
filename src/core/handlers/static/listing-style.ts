/** How a listing looks: the reader's own fonts and colours, light or dark as their system is. */
export const LISTING_STYLE = `
:root{--link:#0b57d0;--soft:#8881;--bar:#0b57d0;--bad:#b3261e;--good:#146c2e}
@media(prefers-color-scheme:dark){:root{--link:#8ab4f8;--bar:#8ab4f8;--bad:#f2b8b5;--good:#81c995}}
body{margin:1.5rem auto 4rem}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
h1{font-weight:600;margin:0 0 1rem}h1 i{color:var(--dim);font-style:normal;font-weight:400;margin:0 .15rem}
h1 a:first-child{padding-right:.2rem}h1 a:last-of-type{color:inherit}
.bar{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin-bottom:.75rem}
.bar form{display:flex;gap:.5rem;flex:1 1 16rem;margin:0}
input,button,.button{font:inherit;font-size:.9rem;padding:.35rem .7rem;border:1px solid var(--line);border-radius:.4rem;background:transparent;color:inherit}
input[type=search]{flex:1;min-width:0}
input::file-selector-button{font:inherit;border:0;border-right:1px solid var(--line);background:transparent;color:inherit;margin-right:.6rem;padding-right:.6rem}
button,.button{cursor:pointer;background:var(--soft);white-space:nowrap}button:hover,.button:hover{background:var(--line);text-decoration:none}
.button{color:inherit}
:focus-visible{outline:2px solid var(--link);outline-offset:1px;border-radius:.3rem}
table{border-collapse:collapse;width:100%;font-size:.95rem}
th{text-align:left;font-weight:600;font-size:.85rem;white-space:nowrap}
th a{color:var(--dim)}th[aria-sort] a{color:inherit}
th[aria-sort=ascending] a::after{content:" \\2191"}th[aria-sort=descending] a::after{content:" \\2193"}
th,td{padding:.32rem .5rem;border-bottom:1px solid var(--line)}
tbody tr:hover,tbody tr:focus-within{background:var(--soft)}
td:first-child{overflow-wrap:anywhere;width:100%}
td:first-child a{display:block}
svg[hidden]{display:none}
svg.i{width:1.05em;height:1.05em;vertical-align:-.15em;margin-right:.5em;color:var(--dim)}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--dim)}
.o,.note{color:var(--dim)}.note{font-size:.85rem;margin:.5rem}
td.x{padding:0 .2rem;width:1.5rem}
td .x{visibility:hidden;padding:0 .4rem;border:0;background:none;line-height:1;color:var(--dim)}
tr:hover .x,tr:focus-within .x{visibility:visible}button.x:hover,button.x:focus{color:var(--bad)}
@media(hover:none){td .x{visibility:visible}}
.pages{display:flex;gap:1rem}
.readme{margin-top:2rem;border:1px solid var(--line);border-radius:.5rem;overflow:hidden}
.readme h2{font-size:.85rem;margin:0;padding:.5rem .9rem;background:var(--soft);border-bottom:1px solid var(--line)}
.readme pre{margin:0;padding:.9rem;white-space:pre-wrap;overflow-wrap:anywhere;font:.85rem/1.5 ui-monospace,monospace}
.up{border:1px dashed var(--line);border-radius:.5rem;padding:.6rem .75rem;display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin-bottom:.75rem}
.up input[type=file]{flex:1 1 14rem;min-width:0;border:0;padding-left:0}
.up .note{margin:0}
.over .up{border-color:var(--link);background:var(--soft)}
.jobs{list-style:none;margin:0 0 .75rem;padding:0;font-size:.9rem}
.jobs li{display:grid;grid-template-columns:minmax(0,1fr) auto auto;gap:.1rem .75rem;align-items:center;padding:.25rem 0}
.jobs li>span:first-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.jobs progress{grid-column:1/-1;width:100%;height:.35rem;accent-color:var(--bar)}
.jobs .bad{color:var(--bad)}.jobs .good{color:var(--good)}
@media(max-width:36rem){th.d,td.d{display:none}}
@media print{.bar,.up{display:none}}`;

/** The pictures in front of names; each row only points at them. */
export const LISTING_ICONS = `<svg hidden xmlns="http://www.w3.org/2000/svg"><symbol id="d" viewBox="0 0 16 16"><path fill="currentColor" d="M1 3.5A1.5 1.5 0 0 1 2.5 2h3.4c.4 0 .8.16 1.06.44L8 3.5h5.5A1.5 1.5 0 0 1 15 5v7.5a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 1 12.500z"/></symbol><symbol id="f" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" stroke-width="1.2" stroke-linejoin="round" d="M3.500 1.600h5.700l3.300 3.300v9.500h-9zM9 1.700V5.100h3.400"/></symbol></svg>`;
