// table.js - a table of many rows: sorted by its heads, filtered by text, a page at a time; on a
// narrow screen each row is a card.

const ROWS = 25;

// columns: [{label, text(row), sort(row)?, cell(row)?, number?}]; more(row) gives [[name, value], …].
// The answer's use(rows) shows others.
function grid(id, caption, columns, more) {
    let rows = [], shown = [], sortBy = 0, down = false, page = 0, words = new Map();
    const textOf = (row) => {
        if (!words.has(row))
            words.set(row, columns.map((c) => c.text(row)).concat(more(row).map(([, v]) => named(v))).join('\n').toLowerCase().replaceAll(TIED, ' '));
        return words.get(row);
    };
    const filter = make('input', {type: 'search', id: id + '-filter', placeholder: 'user, host, SQL …', autocomplete: 'off', spellcheck: 'false', oninput: () => refresh()});
    const status = make('span', {class: 'quiet', role: 'status', 'aria-live': 'polite'});
    const heads = columns.map((c, i) => make('th', {scope: 'col', class: c.number && 'number'},
        make('button', {type: 'button', onclick: () => sort(i)}, c.label)));
    const body = make('tbody');
    const step = (n) => { page += n; paint(); };
    const back = make('button', {type: 'button', onclick: () => step(-1)}, 'Previous');
    const next = make('button', {type: 'button', onclick: () => step(1)}, 'Next');
    const place = make('span', {class: 'quiet'});
    const order = make('select', {id: id + '-order', onchange: () => sort(Number(order.value))},
        columns.map((c, i) => make('option', {value: i}, c.label)));

    function sort(i) {
        down = i === sortBy ? !down : false;
        sortBy = i;
        refresh();
    }

    // What is unknown stands last either way.
    function compare(a, b) {
        const key = columns[sortBy].sort || columns[sortBy].text, x = key(a), y = key(b);
        const none = (x === null || x === undefined) - (y === null || y === undefined);
        if (none) return none;
        return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    }

    function refresh() {
        const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
        shown = rows.filter((r) => wanted.every((w) => textOf(r).includes(w))).sort(compare);
        page = 0;
        paint();
    }

    function details(row, button, tr) {
        const open = button.getAttribute('aria-expanded') === 'true';
        button.setAttribute('aria-expanded', String(!open));
        if (open) return tr.nextSibling.remove();
        tr.after(make('tr', {class: 'details'}, make('td', {colspan: columns.length + 1}, make('dl', {},
            more(row).map(([name, value]) => [make('dt', {}, name), make('dd', {class: name === 'Statement' || name === 'Fingerprint' ? 'code' : null},
                value instanceof Node ? value : named(value))])))));
    }

    function line(row) {
        const button = make('button', {type: 'button', class: 'open', 'aria-expanded': 'false', 'aria-label': 'All about this session',
            onclick: () => details(row, button, tr)});
        const tr = make('tr', {}, make('td', {class: 'opener'}, button), columns.map((c) => make('td', {class: c.kind || (c.number ? 'number' : null), 'data-label': c.label},
            c.cell ? c.cell(row) : c.text(row))));
        return tr;
    }

    function paint() {
        const pages = Math.max(1, Math.ceil(shown.length / ROWS));
        page = Math.min(Math.max(page, 0), pages - 1);
        body.replaceChildren(...shown.slice(page * ROWS, (page + 1) * ROWS).map(line));
        heads.forEach((th, i) => (i === sortBy ? th.setAttribute('aria-sort', down ? 'descending' : 'ascending') : th.removeAttribute('aria-sort')));
        order.value = String(sortBy);
        status.textContent = shown.length === rows.length ? count(rows.length, 'session') : `${number(shown.length)} of ${count(rows.length, 'session')}`;
        place.textContent = shown.length ? `${number(page * ROWS + 1)}–${number(Math.min((page + 1) * ROWS, shown.length))} of ${number(shown.length)}` : '';
        back.disabled = page === 0;
        next.disabled = page === pages - 1;
        pager.hidden = pages === 1;
    }

    const pager = make('nav', {class: 'pager', 'aria-label': 'Pages of ' + caption}, back, place, next);
    const node = make('div', {id, class: 'sheet'},
        make('div', {class: 'tools'}, make('label', {for: id + '-filter'}, 'Filter'), filter,
            make('span', {class: 'narrow'}, make('label', {for: id + '-order'}, 'Sort'), order), status),
        make('table', {}, make('caption', {class: 'unseen'}, caption),
            make('thead', {}, make('tr', {}, make('th', {class: 'opener'}, make('span', {class: 'unseen'}, 'Details')), heads)), body), pager);
    return {node, tools: node.firstChild, use(others) {
        rows = others;
        words = new Map();
        refresh();
    }};
}
