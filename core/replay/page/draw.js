// draw.js - the charts. Colour is never the only sign: policies have letters, wasted kills are
// hatched, and what a chart shows can be read as text too.

const MINUTE = 60000, HOUR = 3600000, DAY = 86400000;
const STEPS = [1000, 2000, 5000, 10000, 15000, 30000, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE,
    30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY];

// The smallest 1, 2 or 5 times a power of ten that n fits in so many times.
function nice(n, parts) {
    const raw = Math.max(n, 1) / parts, power = 10 ** Math.floor(Math.log10(raw));
    return Math.max(1, [1, 2, 5, 10].find((m) => m * power >= raw * 0.9999) * power);
}

function timeTicks(from, to, wanted) {
    const step = STEPS.find((s) => (to - from) / s <= wanted) || 365 * DAY;
    const shift = new Date(from).getTimezoneOffset() * MINUTE;
    const ticks = [];
    for (let t = Math.ceil((from - shift) / step) * step + shift; t <= to; t += step) {
        const at = new Date(t), midnight = !at.getHours() && !at.getMinutes() && !at.getSeconds();
        ticks.push([t, say(t, midnight || step >= DAY ? 'day' : step < MINUTE ? 'second' : 'minute')]);
    }
    return ticks;
}

// At most `limit` steps: averages are averaged, counts added.
function coarser(values, by, how) {
    const out = [];
    for (let i = 0; i < values.length; i += by) {
        const part = values.slice(i, i + by).filter(known);
        out.push(part.length ? sum(part) / (how === 'mean' ? part.length : 1) : null);
    }
    return out;
}

function hatch(id, letter) {
    return draw('pattern', {id, width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)'},
        draw('rect', {width: 5, height: 5, class: 'hatch-ground'}),
        draw('rect', {width: 2.6, height: 5, class: 'fill-' + letter}));
}

// A box whose drawing is made anew when its width is another, so that text keeps its size.
function fitting(attributes, render) {
    const box = make('div', attributes);
    let width = 0;
    new ResizeObserver(() => {
        if (box.clientWidth === width || !box.clientWidth) return;
        width = box.clientWidth;
        box.replaceChildren(render(width));
    }).observe(box);
    box.append(render(900));
    return box;
}

// Lines break where nothing was recorded.
function path(values, x, y, floor) {
    let d = '', start = null;
    values.concat([null]).forEach((v, i) => {
        if (known(v)) {
            d += (start === null ? 'M' : 'L') + x(i).toFixed(1) + ' ' + y(v).toFixed(1) +
                'L' + x(i + 1).toFixed(1) + ' ' + y(v).toFixed(1);
            if (start === null) start = i;
        } else if (start !== null) {
            if (floor !== undefined) d += 'L' + x(i).toFixed(1) + ' ' + floor + 'L' + x(start).toFixed(1) + ' ' + floor + 'Z';
            start = null;
        }
    });
    return d;
}

// Sessions over time, and below them what each policy killed.
function timelineData(report, policies) {
    const t = report.timeline || {};
    const steps = Math.max(list(t.sessions).length, list(t.active).length,
        ...policies.map((p) => list((p.timeline || {}).kills).length));
    const by = Math.max(1, Math.ceil(steps / 480));
    return {
        from: known(t.from_ms) ? t.from_ms : report.from_ms || 0,
        step: (known(t.step_ms) && t.step_ms > 0 ? t.step_ms : 1000) * by,
        n: Math.ceil(steps / by),
        sessions: coarser(list(t.sessions), by, 'mean'),
        active: coarser(list(t.active), by, 'mean'),
        kills: policies.map((p) => coarser(list((p.timeline || {}).kills), by)),
        wasted: policies.map((p) => coarser(list((p.timeline || {}).wasted), by)),
    };
}

function timeline(report, policies) {
    const data = timelineData(report, policies);
    if (!data.n) return make('p', {class: 'quiet'}, 'The recording holds no snapshot.');
    const readout = make('p', {class: 'readout', role: 'status', 'aria-live': 'polite'});
    const letters = policies.map((p) => p.letter);
    let at = null, cursor = null, scale = null;

    function render(width) {
        const left = 44, right = 10, top = 10, high = width < 600 ? 150 : 210;
        const strip = 46, gap = 22, height = top + high + policies.length * (strip + gap) + 26;
        const peak = most(data.sessions.concat(data.active)), step = nice(peak, 4);
        const ceiling = Math.max(step, Math.ceil(peak / step) * step);
        const wide = (width - left - right) / data.n;
        const x = (i) => left + i * wide, y = (v) => top + high - high * v / ceiling;
        const to = data.from + data.n * data.step;
        const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true'},
            draw('defs', {}, letters.map((l) => hatch('hatch-' + l, l))));
        scale = {x, wide, left, width};
        for (let v = 0; v <= ceiling; v += step)
            svg.append(draw('line', {x1: left, x2: width - right, y1: y(v), y2: y(v), class: 'grid'}),
                draw('text', {x: left - 7, y: y(v) + 4, class: 'tick end'}, number(v)));
        for (const [t, label] of timeTicks(data.from, to, Math.max(2, Math.floor(width / 110)))) {
            const px = left + (t - data.from) / (to - data.from) * (width - left - right);
            const where = px > width - 44 ? ' end' : px < left + 20 ? '' : ' middle';
            svg.append(draw('line', {x1: px, x2: px, y1: top, y2: height - 22, class: 'grid'}),
                draw('text', {x: px, y: height - 6, class: 'tick' + where}, draw('title', {}, utc(t)), label));
        }
        svg.append(draw('path', {d: path(data.sessions, x, y, top + high), class: 'sessions'}),
            draw('path', {d: path(data.active, x, y), class: 'active'}));
        const peakKills = Math.max(1, ...data.kills.map(most));
        policies.forEach((p, k) => {
            const base = top + high + (k + 1) * (strip + gap) - 4;
            svg.append(draw('text', {x: left, y: base - strip - 3, class: 'tick strong fill-' + p.letter}, policies.length > 1 ? 'Kills of ' + p.letter : 'Kills'),
                draw('text', {x: left - 7, y: base - strip + 11, class: 'tick end'}, number(peakKills)),
                draw('line', {x1: left, x2: width - right, y1: base, y2: base, class: 'axis'}));
            data.kills[k].forEach((n, i) => {
                if (!n) return;
                const h = Math.max(3, (strip - 3) * n / peakKills), w = Math.max(2, wide > 4 ? wide - 1 : wide);
                const lost = Math.min(n, data.wasted[k][i] || 0), hLost = h * lost / n;
                const left0 = Math.min(x(i), width - right - w);
                svg.append(draw('rect', {x: left0, y: base - h, width: w, height: h, class: 'kill fill-' + p.letter, 'data-step': i}));
                if (lost)
                    svg.append(draw('rect', {x: left0, y: base - hLost, width: w, height: hLost, class: 'kill-wasted stroke-' + p.letter,
                        fill: `url(#hatch-${p.letter})`, 'data-step': i}));
            });
        });
        cursor = draw('line', {y1: top, y2: height - 22, class: 'cursor', visibility: 'hidden'});
        svg.append(cursor);
        show(at);
        return svg;
    }

    function show(i) {
        at = i;
        if (i === null) {
            cursor.setAttribute('visibility', 'hidden');
            readout.textContent = 'Point at the chart, or use the arrow keys on it, to read a moment.';
            return;
        }
        const px = scale.x(i + 0.5), from = data.from + i * data.step;
        cursor.setAttribute('x1', px);
        cursor.setAttribute('x2', px);
        cursor.setAttribute('visibility', 'visible');
        const parts = [known(data.sessions[i]) ? `${number(data.sessions[i])} sessions, ${number(data.active[i])} active` : 'nothing recorded'];
        policies.forEach((p, k) => {
            const lost = data.wasted[k][i];
            parts.push(`${p.letter} killed ${number(data.kills[k][i] || 0)}` + (lost ? ` (${number(lost)} wasted)` : ''));
        });
        readout.replaceChildren(time(from, 'hour'), ' + ' + duration(data.step) + ': ', make('strong', {}, parts.join(' · ')));
    }

    const box = fitting({class: 'chart', id: 'timeline', tabindex: 0, role: 'group',
        'aria-label': 'Sessions over time with the kills of each policy below. The arrow keys read step by step.'}, render);
    const keys = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity};
    box.addEventListener('keydown', (e) => {
        if (e.key === 'Escape') return show(null);
        if (!(e.key in keys)) return;
        e.preventDefault();
        const from = at !== null ? at : keys[e.key] < 0 ? data.n : -1;
        show(Math.min(data.n - 1, Math.max(0, from + keys[e.key])));
    });
    box.addEventListener('pointermove', (e) => {
        const rect = box.firstChild.getBoundingClientRect();
        const px = (e.clientX - rect.left) * scale.width / rect.width;
        const i = Math.floor((px - scale.left) / scale.wide);
        if (i >= 0 && i < data.n) show(i);
    });
    box.addEventListener('pointerleave', () => document.activeElement === box || show(null));
    box.addEventListener('blur', () => show(null));
    return make('div', {}, legend(policies, true), box, readout);
}

function legend(policies, lines) {
    return make('ul', {class: 'legend'},
        lines && [make('li', {}, make('i', {class: 'key sessions-key'}), 'all sessions'),
            make('li', {}, make('i', {class: 'key active-key'}), 'active sessions')],
        policies.map((p) => [make('li', {}, make('i', {class: 'key bar ' + p.letter}), 'killed by ' + (policies.length > 1 ? p.letter : p.name)),
            make('li', {}, make('i', {class: 'key bar wasted ' + p.letter}), 'wasted')]));
}

// One bar with its hatched part. The numbers stand beside it.
function bar(p, n, lost, scale) {
    return make('span', {class: 'track'},
        n > 0 && make('span', {class: 'bar ' + p.letter, style: {width: 100 * n / scale + '%'}},
            lost > 0 && make('span', {class: 'bar wasted ' + p.letter, style: {width: 100 * Math.min(1, lost / n) + '%'}})));
}

const TOP = 8;

// rows: [{key, label, note, counts: [per policy], wasted: [per policy]}], the most first.
function bars(id, title, rows, policies, wide) {
    const scale = most(rows.flatMap((r) => r.counts)) || 1;
    const item = (r) => make('li', {},
        make('span', {class: 'label' + (id === 'fingerprint' ? ' code' : ''), title: r.label}, r.label),
        policies.map((p, k) => make('span', {class: 'row'}, policies.length > 1 && make('b', {class: 'badge small ' + p.letter}, p.letter),
            bar(p, r.counts[k] || 0, r.wasted[k] || 0, scale),
            make('span', {class: 'value'}, number(r.counts[k] || 0),
                r.wasted[k] ? make('small', {}, ` ${number(r.wasted[k])} wasted`) : null))),
        r.note && make('span', {class: 'quiet'}, r.note));
    const ul = make('ul', {class: 'bars'}, rows.slice(0, TOP).map(item));
    const more = rows.length > TOP && make('button', {type: 'button', class: 'more', onclick: () => {
        ul.append(...rows.slice(TOP).map(item));
        more.remove();
    }}, `Show all ${number(rows.length)}`);
    return make('section', {class: wide ? 'panel wide' : 'panel', id: 'by-' + id}, title && make('h3', {}, title),
        rows.length ? ul : make('p', {class: 'quiet'}, 'None.'), more);
}

// Kills per hour as columns; with two policies they stand beside each other.
function columns(rows, policies) {
    return fitting({class: 'scroll'}, (room) => hourColumns(rows, policies, Math.max(room, rows.length * 12)));
}

function hourColumns(rows, policies, width) {
    const height = 160, left = 44, base = height - 22;
    const scale = most(rows.flatMap((r) => r.counts)) || 1, step = nice(scale, 3), ceiling = Math.ceil(scale / step) * step;
    const slot = (width - left) / Math.max(rows.length, 1), wide = Math.min(28, slot * 0.8 / policies.length);
    const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, style: {minWidth: rows.length * 12 + 'px'}, role: 'img', 'aria-label':
        'Kills by hour: ' + rows.map((r) => `${r.label}: ${r.counts.map(number).join(' and ')}`).join(', ')},
        draw('defs', {}, policies.map((p) => hatch('hatch-hour-' + p.letter, p.letter))));
    for (let v = 0; v <= ceiling; v += step) {
        const y = base - (base - 8) * v / ceiling;
        svg.append(draw('line', {x1: left, x2: width, y1: y, y2: y, class: v ? 'grid' : 'axis'}),
            draw('text', {x: left - 7, y: y + 4, class: 'tick end'}, number(v)));
    }
    const every = Math.ceil(rows.length * 48 / (width - left));
    rows.forEach((r, i) => {
        const middle = left + slot * (i + 0.5);
        policies.forEach((p, k) => {
            const n = r.counts[k] || 0, h = (base - 8) * n / ceiling, lost = Math.min(n, r.wasted[k] || 0);
            if (!n) return;
            const at = {x: middle + wide * (k - policies.length / 2) + 0.5, width: Math.max(1, wide - 1)};
            svg.append(draw('rect', {...at, y: base - h, height: h, class: 'hour fill-' + p.letter},
                draw('title', {}, `${r.label}: ${policies.length > 1 ? p.letter + ' killed ' : ''}${number(n)}, ${number(lost)} wasted`)));
            if (lost)
                svg.append(draw('rect', {...at, y: base - h * lost / n, height: h * lost / n, class: 'stroke-' + p.letter, fill: `url(#hatch-hour-${p.letter})`, 'pointer-events': 'none'}));
        });
        if (i % every === 0)
            svg.append(draw('text', {x: middle, y: height - 4, class: 'tick middle'}, draw('title', {}, r.label), r.short));
    });
    return svg;
}
