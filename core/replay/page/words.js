// words.js - numbers, durations and times as people say them, and the makers of elements. Text goes
// in as text only: nothing here or elsewhere in the page parses a string of the report as HTML.

const SVG = 'http://www.w3.org/2000/svg';

// make('p', {class: 'x', onclick: f}, 'text', node, …); what is null or false is left out.
function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
        else if (name === 'style') Object.assign(node.style, value);
        else node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.flat(2).filter((c) => c !== null && c !== undefined && c !== false));
    return node;
}
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const known = (v) => typeof v === 'number' && isFinite(v);
const list = (v) => (Array.isArray(v) ? v : []);
const sum = (values) => values.reduce((a, b) => a + (known(b) ? b : 0), 0);
const most = (values) => values.reduce((a, b) => (known(b) && b > a ? b : a), 0);

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const fine = new Intl.NumberFormat('en', {maximumFractionDigits: 1});
const number = (n) => (known(n) ? (Math.abs(n) < 10 ? fine : whole).format(n) : '–');
const count = (n, one, many) => (n === 0 ? 'no' : number(n)) + ' ' + (n === 1 ? one : many || one + 's');

// Between a number and its unit no line ends.
const TIED = '\u00a0';

function percent(part, all) {
    if (!all) return `0${TIED}%`;
    const p = 100 * part / all;
    if (part && p < 1) return `under 1${TIED}%`;
    if (part < all && p > 99) return `over 99${TIED}%`;
    return Math.round(p) + TIED + '%';
}

// The two largest units: "3 h 12 min", "57 s", "0.4 s". Days begin at two: people say "24 h".
const UNITS = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
function duration(ms) {
    if (!known(ms)) return 'unknown';
    if (ms < 0) return '−' + duration(-ms);
    if (ms > 0 && ms < 9950) return (ms < 100 ? Math.round(ms) / 1000 : fine.format(ms / 1000)) + TIED + 's';
    const s = Math.round(ms / 1000);
    if (s === 0) return `0${TIED}s`;
    const i = UNITS.findIndex(([unit, size]) => s >= (unit === 'd' ? 2 * size : size));
    const [unit, size] = UNITS[i];
    const rest = i < 3 ? Math.floor(s % size / UNITS[i + 1][1]) : 0;
    return number(Math.floor(s / size)) + TIED + unit + (rest ? TIED + rest + TIED + UNITS[i + 1][0] : '');
}

// Times are in the reader's own zone, UTC is in the title.
const formats = {
    full: {year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit'},
    row: {month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit'},
    minute: {hour: '2-digit', minute: '2-digit'},
    second: {hour: '2-digit', minute: '2-digit', second: '2-digit'},
    day: {weekday: 'short', day: 'numeric', month: 'short'},
    hour: {weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit'},
};
for (const [name, options] of Object.entries(formats))
    formats[name] = new Intl.DateTimeFormat('en-GB', options);
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time';
const isTime = (ms) => known(ms) && Math.abs(ms) <= 8.64e15;
const say = (ms, how) => (isTime(ms) ? formats[how || 'full'].format(new Date(ms)) : 'unknown');
const utc = (ms) => new Date(ms).toISOString().replace('T', ' ').replace(/\.000Z|Z/, ' UTC');
const time = (ms, how) => (isTime(ms)
    ? make('time', {datetime: new Date(ms).toISOString(), title: utc(ms)}, say(ms, how)) : 'unknown');

// What a column of the report is called when it is nothing.
const named = (v) => (v === null || v === undefined ? '(none)' : v === '' ? '(empty)' : String(v));
const file = (path) => named(path).replace(/^.*\/(?=[^/])/, '');
