// page.js - the page from top to bottom: what each policy would have done, in words first.

// --- what the report says, made easy to show ---------------------------------------------------

function understand(report) {
    const policies = list(report.policies).map((p, i) => ({...p, letter: 'AB'[i] || 'B', kills: known(p.kills) ? p.kills : list(p.victims).length}));
    const short = policies.map((p) => file(p.policy));
    policies.forEach((p, i) => { p.name = short.indexOf(short[i]) === short.lastIndexOf(short[i]) ? short[i] : named(p.policy); });
    if (policies.length > 1 && policies[0].name === policies[1].name)
        policies.forEach((p) => { p.name += list(p.args).length ? ' ' + p.args.join(' ') : ' ' + p.letter; });
    return policies;
}

const isWasted = (v, p) => v.end_seen === true && known(v.lived_on_ms) && v.lived_on_ms <= p.wasted_ms;
const several = (policies) => policies.length > 1;
const badge = (p, small) => make('b', {class: 'badge ' + (small ? 'small ' : '') + p.letter, title: named(p.policy)}, p.letter);

// The rows of one "by", both policies side by side.
function together(policies, of, labelOf) {
    const rows = new Map();
    policies.forEach((p, k) => of(p).forEach((r) => {
        const label = labelOf ? labelOf(r.key) : named(r.key);
        if (!rows.has(label)) rows.set(label, {key: r.key, label, note: r.note, counts: policies.map(() => 0), wasted: policies.map(() => 0)});
        const row = rows.get(label);
        row.counts[k] += r.count || 0;
        row.wasted[k] += r.wasted || 0;
        row.note = row.note || r.note;
    }));
    return [...rows.values()].sort((a, b) => sum(b.counts) - sum(a.counts));
}

// An hour is a time (Unix ms, or a text that is one in UTC) or an hour of the day.
function hourOf(key) {
    if (known(key) && key > 1e9) return key;
    const m = /^(\d{4}-\d\d-\d\d)[ T](\d\d)(?::?(\d\d))?/.exec(String(key));
    const t = m ? Date.parse(`${m[1]}T${m[2]}:${m[3] || '00'}:00Z`) : NaN;
    return isNaN(t) ? null : t;
}

function hours(policies) {
    const rows = together(policies, (p) => list((p.by || {}).hour), (key) => (hourOf(key) === null ? named(key) : say(hourOf(key), 'hour')));
    const at = (r) => (hourOf(r.key) === null ? Number(r.key) || 0 : hourOf(r.key));
    rows.forEach((r) => { r.short = hourOf(r.key) === null ? r.label : say(hourOf(r.key), 'minute'); });
    return rows.sort((a, b) => at(a) - at(b));
}

// --- the verdict ---------------------------------------------------------------------------------

// Pieces of the sentence; what is in an array is said loudly.
function verdict(p, span) {
    const where = span === null ? '' : ` in ${span}`;
    const failed = p.failed_runs ? [`; ${number(p.failed_runs)} of its ${count(p.runs, 'run')} failed`] : [];
    if (!p.kills) return ['would have killed ', ['no session'], where, ...failed, '.'];
    const some = ['would have killed ', [count(p.kills, 'session')], where];
    if (known(p.wasted) && known(p.wasted_ms))
        some.push('; ', [p.wasted ? `${number(p.wasted)} of them (${percent(p.wasted, p.kills)})` : 'none of them'],
            ` would have ended by ${p.wasted === 1 ? 'itself' : 'themselves'} within ${duration(p.wasted_ms)}`);
    if (known(p.saved_wait_ms) && p.saved_wait_ms > 0)
        some.push('; it would have spared ', [duration(p.saved_wait_ms)], ' of lock waits');
    return [...some, ...failed, '.'];
}

const OUTCOMES = {gone: 'ended before the kill', changed: 'moved on before the kill', refused: 'refused by a limit',
    failed: 'could not be killed', unknown: 'ended in doubt'};

function tiles(p) {
    const refused = sum(list(p.refused_by).map((r) => r.count));
    const misses = known(p.near_miss_count) ? p.near_miss_count : list(p.near_misses).length;
    const tile = (id, value, label, note) => make('div', {class: 'tile', 'data-figure': id}, make('dt', {}, label),
        make('dd', {}, value), note && make('dd', {class: 'quiet'}, note));
    return make('dl', {class: 'tiles'},
        tile('kills', number(p.kills), 'killed'),
        tile('wasted', number(p.wasted), 'wasted', known(p.wasted) && p.kills ? `${percent(p.wasted, p.kills)}, gone in ${duration(p.wasted_ms)} anyway` : null),
        tile('saved', known(p.saved_ms) ? duration(p.saved_ms) : '–', 'running time cut', 'how long the victims went on'),
        tile('waits', known(p.saved_wait_ms) ? duration(p.saved_wait_ms) : '–', 'lock waits spared', known(p.saved_wait_ms) ? 'of sessions behind them' : 'the recording tells no locks'),
        tile('refused', number(refused), 'refused by limits'),
        tile('misses', number(misses), 'near misses', 'spared by a little'),
        tile('respawns', number(p.respawns), 'came back', 'the same statement again'),
        tile('runs', number(p.runs), 'runs', [known(p.every_ms) && 'every ' + duration(p.every_ms), p.failed_runs ? `${number(p.failed_runs)} failed` : null,
            p.requests ? count(p.requests, 'HTTP request') + ' not sent' : null].filter(Boolean).join(', ')));
}

function card(p, policies, span) {
    const others = Object.entries(p.outcomes || {}).filter(([name, n]) => name !== 'killed' && n > 0);
    return make('section', {class: 'card verdict ' + p.letter, id: 'policy-' + p.letter},
        make('h2', {}, several(policies) && badge(p), make('span', {title: named(p.policy)}, p.name)),
        make('p', {class: 'sentence'}, verdict(p, span).map((s) => (Array.isArray(s) ? make('strong', {}, s[0]) : s))
            .map((s, i) => (i ? s : s[0].toUpperCase() + s.slice(1)))),
        tiles(p),
        others.length > 0 && make('p', {class: 'quiet'}, 'Not killed though meant to be: ' +
            others.map(([name, n]) => `${number(n)} ${OUTCOMES[name] || name}`).join(', ') + '.'),
        list(p.errors).length > 0 && make('div', {class: 'errors', role: 'note'}, make('h3', {}, 'Runs that failed'),
            make('ul', {}, list(p.errors).map((e) => make('li', {}, make('code', {}, named(e.message)), ` ${count(e.count, 'time')}`,
                isTime(e.first_ms) && [', first at ', time(e.first_ms)])))),
        make('p', {class: 'quiet fine'}, [list(p.args).length > 0 && ['arguments ', make('code', {}, list(p.args).map(named).join(' ')), ' · '],
            p.sha256 && ['sha256 ', make('code', {title: String(p.sha256)}, String(p.sha256).slice(0, 16) + '…')]]));
}

// --- how long the victims would have gone on ---------------------------------------------------

const SPANS = [[MINUTE, '1 min'], [10 * MINUTE, '10 min'], [HOUR, '1 h'], [Infinity, null]];

function livedOn(p) {
    const limit = known(p.wasted_ms) ? p.wasted_ms : 0, victims = list(p.victims);
    const parts = [{class: 'wasted', label: `wasted: up to ${duration(limit)}`, n: victims.filter((v) => isWasted(v, p)).length}];
    let from = limit;
    for (const [to, word] of SPANS.filter(([end]) => end > limit)) {
        const low = from;
        parts.push({class: 'span-' + parts.length, label: word ? 'up to ' + word : 'over ' + duration(from),
            n: victims.filter((v) => v.end_seen === true && known(v.lived_on_ms) && v.lived_on_ms > low && v.lived_on_ms <= to).length});
        from = to;
    }
    parts.push({class: 'open-end', label: 'end not in the recording', n: victims.length - sum(parts.map((x) => x.n))});
    return parts;
}

function wastedSection(policies) {
    const one = (p) => {
        const parts = livedOn(p), all = list(p.victims).length;
        return make('div', {class: 'lived', 'data-policy': p.letter}, several(policies) && make('h3', {}, badge(p, true), p.name),
            all ? make('div', {class: 'stack ' + p.letter, role: 'img', 'aria-label': parts.map((x) => `${x.label}: ${number(x.n)}`).join(', ')},
                parts.filter((x) => x.n).map((x) => make('span', {class: x.class, style: {flexGrow: x.n}, title: `${x.label}: ${number(x.n)} (${percent(x.n, all)})`})))
                : make('p', {class: 'quiet'}, 'No victims.'),
            all > 0 && make('ul', {class: 'legend ' + p.letter}, parts.map((x) => make('li', {}, make('i', {class: 'key ' + x.class}), x.label + ' ', make('b', {}, number(x.n))))),
            all > 0 && all < p.kills && make('p', {class: 'quiet'}, `Of the ${number(all)} victims that the report lists.`));
    };
    return make('section', {class: 'card', id: 'wasted'}, make('h2', {}, 'Wasted kills'),
        make('p', {class: 'quiet'}, 'How long each victim went on in the recording after the moment at which the policy would have killed it. A kill is wasted when the session would have been gone a moment later anyway.'),
        policies.map(one));
}

// --- sessions, one by one -------------------------------------------------------------------------

const who = (v) => `${named(v.user)}@${named(v.host)}`;
const statement = (v) => v.fingerprint || v.sql_info;
const lived = (v) => (known(v.lived_on_ms) ? (v.end_seen === false ? 'at least ' : '') + duration(v.lived_on_ms) : 'unknown');
const blockedText = (v) => (!known(v.blocked) ? 'unknown' : v.blocked === 0 ? 'none' : number(v.blocked) + (known(v.blocked_ms) ? ` for ${duration(v.blocked_ms)}` : ''));
const columnTime = {label: 'Time', text: (v) => say(v.at_ms), sort: (v) => v.at_ms, cell: (v) => time(v.at_ms, 'row')};
const columnId = {label: 'Session', text: (v) => named(v.id), sort: (v) => v.id, number: true};
const columnWho = {label: 'User, host', text: who, cell: (v) => [named(v.user), make('small', {}, '@' + named(v.host))], kind: 'who'};
const columnDb = {label: 'Database', text: (v) => named(v.db), kind: 'db'};
const columnSql = {label: 'Statement', text: (v) => named(statement(v)), cell: (v) => make('span', {class: 'code clip', title: named(v.sql_info || v.fingerprint)}, named(statement(v))), kind: 'sql'};

const VICTIM = [columnTime, columnId, columnWho, columnDb,
    {label: 'Had run', text: (v) => (known(v.state_duration) ? duration(v.state_duration * 1000) : 'unknown'), sort: (v) => v.state_duration, number: true},
    {label: 'Went on for', text: lived, sort: (v) => v.lived_on_ms, number: true,
        cell: (v) => [lived(v), v.wasted && make('span', {class: 'mark'}, 'wasted')]},
    {label: 'Blocked', text: blockedText, sort: (v) => v.blocked, number: true},
    columnSql];

const victimDetails = (v) => [['Killed at', isTime(v.at_ms) ? make('span', {}, time(v.at_ms), ` (${utc(v.at_ms)})`) : 'unknown'], ['Instance', v.instance], ['Session', v.id], ['User', v.user],
    ['Host', v.host], ['Database', v.db], ['Command', v.command], ['State', v.state], ['Had run', VICTIM[4].text(v)], ['Kill', v.kill], ['Reason', v.reason],
    ['Would have gone on', lived(v) + (v.end_seen === false ? ' (its end is not in the recording)' : '')], ['Blocked behind it', blockedText(v)],
    ['Came back', known(v.respawned) ? (v.respawned ? count(v.respawned, 'time') : 'never') : 'unknown'], ['Fingerprint', v.fingerprint], ['Statement', v.sql_info]];

function choices(report, policies) {
    const d = report.difference || {};
    const sets = policies.map((p) => ({name: several(policies) ? `all of ${p.letter}` : 'all', p, rows: list(p.victims)}));
    if (several(policies) && report.difference)
        sets.push({name: 'only A', p: policies[0], rows: list(d.only_first)}, {name: 'only B', p: policies[1], rows: list(d.only_second)});
    sets.forEach((s) => { s.rows = s.rows.map((v) => ({...v, wasted: isWasted(v, s.p)})); });
    return sets;
}

// A group of which one is chosen.
function chooser(label, names, chosen) {
    const buttons = names.map((name, i) => make('button', {type: 'button', 'aria-pressed': String(!i), onclick: () => {
        buttons.forEach((b, k) => b.setAttribute('aria-pressed', String(k === i)));
        chosen(i);
    }}, name));
    return make('div', {class: 'chooser', role: 'group', 'aria-label': label}, buttons);
}

function victimsSection(sets) {
    const table = grid('victims', 'Victims', VICTIM, victimDetails);
    const only = make('input', {type: 'checkbox', id: 'only-wasted', onchange: () => pick()});
    let chosen = 0;
    const pick = () => table.use(only.checked ? sets[chosen].rows.filter((v) => v.wasted) : sets[chosen].rows);
    const which = chooser('Which victims', sets.map((s) => `${s.name} (${number(s.rows.length)})`), (i) => { chosen = i; pick(); });
    table.tools.append(make('label', {class: 'check'}, only, 'only wasted kills'));
    if (sets.length > 1) table.node.prepend(which);
    pick();
    const any = sets.some((s) => s.rows.length);
    return {node: make('section', {class: 'card', id: 'victims-section'}, make('h2', {}, 'Victims'), any ? table.node : make('p', {class: 'quiet'}, 'None.')), choose: (i) => which.children[i].click()};
}

const MISS = [columnTime, columnId, columnWho, columnDb, {label: 'Asked for', text: (v) => named(v.criterion)},
    {label: 'Was', text: (v) => named(v.value)}, {label: 'In words', text: (v) => named(v.note)}, columnSql];
const missDetails = (v) => [['At', isTime(v.at_ms) ? utc(v.at_ms) : 'unknown'], ['Instance', v.instance], ['Session', v.id], ['User', v.user], ['Host', v.host], ['Database', v.db],
    ['Command', v.command], ['Asked for', v.criterion], ['Was', v.value], ['In words', v.note], ['Fingerprint', v.fingerprint]];

function missesSection(policies) {
    const table = grid('misses', 'Near misses', MISS, missDetails);
    const all = (p) => (known(p.near_miss_count) ? p.near_miss_count : list(p.near_misses).length);
    const note = make('p', {class: 'quiet'});
    const pick = (i) => {
        const p = policies[i], n = list(p.near_misses).length;
        note.textContent = 'Sessions that missed being killed by a little' + (n < all(p) ? `; the nearest ${number(n)} of ${number(all(p))}.` : '.');
        table.use(list(p.near_misses));
    };
    pick(0);
    return make('section', {class: 'card', id: 'misses-section'}, make('h2', {}, 'Near misses'), note,
        several(policies) && chooser('Near misses of', policies.map((p) => `of ${p.letter} (${number(all(p))})`), pick), table.node);
}

// --- two policies -----------------------------------------------------------------------------------

function differenceSection(report, policies, showOnly) {
    const d = report.difference || {}, [a, b] = policies;
    const counts = [list(d.only_first).length, d.both || 0, list(d.only_second).length], all = sum(counts);
    const kills = (n) => count(n, 'session');
    const part = (i, cls, label) => make('div', {class: 'part ' + cls, 'data-part': i}, make('b', {}, number(counts[i])), make('span', {}, label),
        i !== 1 && counts[i] > 0 && make('button', {type: 'button', onclick: () => showOnly(i ? 3 : 2)}, 'show them'));
    const rows = list(d.by_user).map((r) => ({key: r.key, label: named(r.key), counts: [r.first || 0, r.second || 0], wasted: [0, 0]}))
        .filter((r) => r.counts[0] !== r.counts[1]).sort((x, y) => Math.abs(y.counts[0] - y.counts[1]) - Math.abs(x.counts[0] - x.counts[1]));
    return make('section', {class: 'card', id: 'difference'}, make('h2', {}, 'Where they differ'),
        make('p', {class: 'sentence small'}, !counts[0] && !counts[2] ? (all ? `Both would have killed the same ${kills(all)}.` : 'Neither would have killed a session.')
            : `Both would have killed ${kills(counts[1])}; ${a.name} alone ${kills(counts[0])} that ${b.name} leaves; ${b.name} alone ${kills(counts[2])} that ${a.name} leaves.`),
        all > 0 && make('div', {class: 'stack', 'aria-hidden': 'true'}, counts.map((n, i) => n > 0 && make('span', {class: ['bar A', 'both', 'bar B'][i], style: {flexGrow: n}}))),
        make('div', {class: 'parts'}, part(0, 'A', 'only A'), part(1, 'both', 'both'), part(2, 'B', 'only B')),
        rows.length > 0 && bars('differs', 'Users whom they treat differently', rows, policies, true));
}

// --- all of it ----------------------------------------------------------------------------------------

function page(report) {
    const policies = understand(report);
    const span = isTime(report.from_ms) && isTime(report.to_ms) ? duration(report.to_ms - report.from_ms) : null;
    const title = policies.map((p) => p.name).join(' and ');
    document.title = (title ? title + ' – ' : '') + 'das replay';
    const instances = list(report.instances), sets = choices(report, policies), victims = policies.length > 0 && victimsSection(sets);
    const showOnly = (i) => {
        victims.choose(i);
        victims.node.scrollIntoView();
        victims.node.querySelector('input').focus({preventScroll: true});
    };
    const by = (id, name) => bars(id, name, together(policies, (p) => list((p.by || {})[id])), policies);
    const refused = together(policies, (p) => list(p.refused_by).map((r) => ({key: r.limit, count: r.count, note: r.note})));
    const byHour = hours(policies), hits = policies.some((p) => p.kills > 0);
    return [
        make('header', {}, make('p', {class: 'eyebrow'}, 'das replay'),
            make('h1', {}, several(policies) ? 'What two policies would have done' : 'What this policy would have done'),
            make('p', {class: 'facts'}, isTime(report.from_ms) && isTime(report.to_ms) && [time(report.from_ms), ' to ', time(report.to_ms), span && ` (${span})`],
                ` · ${instances.length === 1 ? named(instances[0]) : count(instances.length, 'instance')} · ${count(report.snapshots, 'snapshot')}, ${count(report.rows, 'session row')}`),
            make('p', {class: 'quiet fine'}, 'From ', list(report.files).map((f, i) => [i > 0 && ', ', make('code', {title: named(f)}, file(f))]),
                `. Nothing was killed: the policy ran over a recording. Times are in ${zone}; UTC shows when you point at one.`),
            instances.length > 1 && make('p', {class: 'quiet fine', id: 'instances'}, 'Instances: ' + instances.slice(0, 20).map(named).join(', ') + (instances.length > 20 ? ', …' : ''))),
        list(report.notes).length > 0 && make('section', {class: 'card notes', id: 'notes'}, make('h2', {}, 'Please note'), make('ul', {}, list(report.notes).map((n) => make('li', {}, named(n))))),
        make('div', {class: several(policies) ? 'two' : null}, policies.map((p) => card(p, policies, span))),
        several(policies) && report.difference && differenceSection(report, policies, showOnly),
        make('section', {class: 'card'}, make('h2', {}, 'Sessions and kills over time'), timeline(report, policies)),
        hits && wastedSection(policies),
        hits && make('section', {class: 'card', id: 'by'}, make('h2', {}, 'Who is hit, and when'), legend(policies, false),
            make('section', {class: 'panel', id: 'by-hour'}, make('h3', {}, 'By hour'), byHour.length ? columns(byHour, policies) : make('p', {class: 'quiet'}, 'None.')),
            make('div', {class: 'panels'}, by('user', 'By user'), by('db', 'By database'), by('host', 'By host'), by('kill', 'By what is killed')), by('fingerprint', 'By statement')),
        policies.length > 0 && make('section', {class: 'card', id: 'refused'}, make('h2', {}, 'Kills refused by limits'), bars('limit', null, refused, policies, true)),
        victims && victims.node,
        policies.length > 0 && missesSection(policies),
        make('footer', {class: 'quiet fine'}, 'A session that a policy killed is gone from the rest of its replay, until its number is used again; everything else stays as it was recorded. A session that came back would have cost its work twice.'),
    ];
}

function show() {
    const main = document.getElementById('page');
    let report;
    try {
        report = JSON.parse(document.getElementById('report').textContent);
    } catch (e) {
        return main.replaceChildren(make('p', {class: 'errors', role: 'alert'}, 'The data in this page is damaged: ' + e.message));
    }
    main.replaceChildren(...[page(report)].flat(2).filter(Boolean));
}

show();
