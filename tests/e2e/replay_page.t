#!/usr/bin/perl
# replay_page.t - the page of a replay in a real browser: it shows what the report says, runs nothing
# that the report says, and asks for nothing.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use IPC::Open2;
use JSON::PP;
use lib 'tests/e2e/lib';
use Browser;

plan skip_all => 'chromium and chromedriver are not installed (packages chromium, chromium-driver)' if !Browser::installed();

binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;
my $json = JSON::PP->new->utf8->canonical;
my $dir = tempdir('das-page-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $program = ($ENV{BUILD} || 'build') . '/tests/e2e/page_run';
my $start = 1767567600000;    # 4 January 2026, 23:00 UTC
my ($MINUTE, $HOUR) = (60_000, 3_600_000);

# --- reports -------------------------------------------------------------------------------------
my $number = 0;
sub victim {
    my (%change) = @_;
    my $n = $number++;
    return { at_ms => $start + $n * $MINUTE, instance => 'shop-db-1', id => 1000 + $n, user => 'report', host => '10.0.0.7', db => 'shop',
        command => 'Query', state => 'Sending data', fingerprint => 'select ?', sql_info => "select $n", state_duration => 90, kill => 'query',
        reason => 'over 60 s', lived_on_ms => 600_000, end_seen => JSON::PP::true, blocked => 0, blocked_ms => 0, respawned => 0, %change };
}
sub counted {
    my ($field, $limit, @victims) = @_;
    my %by;
    for my $v (@victims) {
        my $entry = $by{ $v->{$field} // '' } ||= { key => $v->{$field}, count => 0, wasted => 0 };
        $entry->{count}++;
        $entry->{wasted}++ if $v->{end_seen} && $v->{lived_on_ms} <= $limit;
    }
    return [ map { $by{$_} } sort keys %by ];
}
sub policy {
    my ($name, $victims, %change) = @_;
    my @kills = (0) x 24;
    my @wasted = (0) x 24;
    my ($saved, $waits) = (0, 0);
    for my $v (@$victims) {
        my $hour = int(($v->{at_ms} - $start) / $HOUR);
        $kills[$hour]++;
        $wasted[$hour]++ if $v->{end_seen} && $v->{lived_on_ms} <= 5000;
        $saved += $v->{lived_on_ms};
        $waits += $v->{blocked_ms} // 0;
    }
    my $wasted = 0;
    $wasted += $_ for @wasted;
    return { policy => $name, sha256 => 'ab' x 32, args => [], every_ms => 10_000, runs => 8640, failed_runs => 0, errors => [], kills => 0 + @$victims,
        outcomes => { killed => 0 + @$victims, gone => 2, refused => 3 }, refused_by => [ { limit => 'limits.kill.run', count => 3, note => undef } ],
        requests => 0, respawns => 0, wasted => $wasted, wasted_ms => 5000, saved_ms => $saved, saved_wait_ms => $waits,
        timeline => { kills => \@kills, wasted => \@wasted },
        by => { (map { $_ => counted($_, 5000, @$victims) } qw(user db host fingerprint kill)),
            hour => [ map { { key => $start + $_ * $HOUR, count => $kills[$_], wasted => $wasted[$_] } } grep { $kills[$_] } 0 .. 23 ] },
        victims => $victims, near_misses => [ map { { at_ms => $start + $_ * $MINUTE, instance => 'shop-db-1', id => 77 + $_, user => 'near', host => 'h', db => undef,
            command => 'Query', fingerprint => 'select near', criterion => 'time >= 60 s', value => '57 s', note => '3 s too young' } } 0 .. 1 ],
        near_miss_count => 40, %change };
}
sub report {
    my (%change) = @_;
    return { files => ['/rec/day.das'], from_ms => $start, to_ms => $start + 24 * $HOUR, snapshots => 86_400, rows => 1_234_567, instances => ['shop-db-1'], notes => [],
        timeline => { step_ms => $HOUR, from_ms => $start, sessions => [ map { 100 + $_ } 0 .. 23 ], active => [ (10) x 24 ] }, policies => [], %change };
}

sub page {
    my ($report) = @_;
    my $text = ref $report ? $json->encode($report) : $report;
    my $pid = open2(my $out, my $in, $program);
    if (!(my $writer = fork // die)) { print $in $text; close $in; require POSIX; POSIX::_exit(0) }
    close $in;
    my $page = do { local $/; <$out> };
    waitpid $pid, 0;
    is($?, 0, 'a page is made');
    wait;
    open my $file, '>', "$dir/page.html" or die;
    print $file $page;
    close $file or die;
    return "file://$dir/page.html";
}

my $b = Browser->new(zone => 'Asia/Tokyo');
$b->size(1280, 900);
$b->media(scheme => 'light');

sub shown {
    my ($report) = @_;
    $b->go(page($report));
    is_deeply([ map { "$_->{level} $_->{message}" } @{ $b->told } ], [], 'the console is silent');
}
sub texts { return $b->run('return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)', $_[0]) }
sub how_many { return $b->run('return document.querySelectorAll(arguments[0]).length', $_[0]) }
sub plain { return $_[0] =~ tr/\x{a0}/ /r }
sub figure { return plain($b->run('return document.querySelector(arguments[0] + " dd").textContent', "#policy-$_[0] [data-figure=$_[1]]")) }
sub column { return $b->run('return [...document.querySelectorAll("#" + arguments[0] + " tbody tr:not(.details)")].map((r) => r.cells[arguments[1]].textContent)', @_) }

# --- one policy --------------------------------------------------------------------------------------
my @victims = map { victim(user => $_ % 3 ? 'report' : 'etl', lived_on_ms => $_ < 5 ? 3000 : 300_000 + 1000 * $_, blocked => $_ == 9 ? 4 : 0,
    blocked_ms => $_ == 9 ? 11_520_000 : 0, end_seen => $_ == 36 ? JSON::PP::false : JSON::PP::true, state_duration => 200 - $_) } 0 .. 36;
my $one = report(policies => [ policy('policies/long_select.lua', \@victims, respawns => 6, requests => 2) ], notes => ['a gap of 3 min']);
shown($one);
is($b->run('return document.title'), "long_select.lua \x{2013} das replay", 'the title names the policy');
is(plain($b->text('#policy-A .sentence')), 'Would have killed 37 sessions in 24 h; 5 of them (14 %) would have ended by themselves within 5 s; '
    . 'it would have spared 3 h 12 min of lock waits.', 'the verdict in plain words');
is(figure('A', $_->[0]), $_->[1], "the figure of $_->[0]")
    for ['kills', '37'], ['wasted', '5'], ['saved', '2 h 51 min'], ['waits', '3 h 12 min'], ['refused', '3'], ['misses', '40'], ['respawns', '6'], ['runs', '8,640'];
like($b->text('#policy-A'), qr/2 ended before the kill, 3 refused by a limit/, 'what was not killed');
is_deeply(texts('#notes li'), ['a gap of 3 min'], 'notes');
like(plain($b->text('header')), qr/5 Jan 2026, 08:00:00 to 6 Jan 2026, 08:00:00 \(24 h\).*86,400 snapshots, 1,234,567 session rows/s, 'what was replayed, in the reader\'s zone');
is($b->run('return document.querySelector("header time").title'), '2026-01-04 23:00:00 UTC', 'and UTC in the title');

is(how_many('#timeline rect.kill'), 1, 'a mark for each step with kills');
is(how_many('#timeline rect.kill-wasted'), 1, 'and for wasted ones');
is(how_many('#timeline path.sessions[d^=M]') + how_many('#timeline path.active[d^=M]'), 2, 'both lines are drawn');
is_deeply(texts('#wasted .legend li b'), [ 5, 0, 31, 0, 0, 1 ], 'how long the victims went on');
is(how_many('#wasted .stack span'), 3, 'a piece for each that is not empty');
is_deeply(texts('#by-user .label'), [ 'report', 'etl' ], 'users, the most first');
is_deeply([ map { plain($_) } @{ texts('#by-user .value') } ], [ '24 3 wasted', '13 2 wasted' ], 'with their numbers');
is_deeply($b->run('return [...document.querySelectorAll("#by-user .track > .bar")].map((e) => Math.round(parseFloat(e.style.width)))'), [ 100, 54 ], 'and bars as long');
is(how_many('#by-hour rect.hour'), 1, 'a column for each hour');
is_deeply(texts('#refused .label'), ['limits.kill.run'], 'the limit that refused');
is(how_many('#misses tbody tr'), 2, 'near misses are listed');
like($b->text('#misses-section'), qr/the nearest 2 of 40/, 'and how many there were');

# --- the table -----------------------------------------------------------------------------------------
is(how_many('#victims tbody tr'), 25, 'a page of the table');
is_deeply([ @{ column('victims', 2) }[ 0, 24 ] ], [ 1000, 1024 ], 'by time at first');
is($b->run('return document.querySelector("#victims th[aria-sort]").textContent'), 'Time', 'which its head says');
$b->click('#victims .pager button:last-child');
is_deeply(column('victims', 2), [ 1025 .. 1036 ], 'the next page');
ok($b->run('return document.querySelector("#victims .pager button:last-child").disabled'), 'the last one');
$b->click('#victims th:nth-child(6) button');
is_deeply([ @{ column('victims', 2) }[ 0, 1 ] ], [ 1036, 1035 ], 'a click sorts by how long it had run, from the first page');
$b->type('#victims th:nth-child(6) button', $Browser::key{Enter});
is_deeply([ @{ column('victims', 2) }[ 0, 1 ] ], [ 1000, 1001 ], 'a key sorts the other way');
is($b->run('return document.querySelector("#victims th:nth-child(6)").ariaSort'), 'descending', 'which its head says');
$b->click('#victims th:nth-child(7) button');
is(plain(column('victims', 6)->[0]), '3 swasted', 'a wasted kill is marked');
$b->type('#victims-filter', 'ETL select 36');
is_deeply(column('victims', 2), [1036], 'words filter it, all fields, any case');
is(plain($b->text('#victims [role=status]')), '1 of 37 sessions', 'and it says so');
is(plain(column('victims', 6)->[0]), 'at least 5 min 36 s', 'an end that was not seen');
$b->type('#victims .open', $Browser::key{Enter});
my %told;
@told{ @{ texts('#victims .details dt') } } = @{ texts('#victims .details dd') };
is($told{Statement}, 'select 36', 'a key opens all about it');
like($told{'Killed at'}, qr/5 Jan 2026, 08:36:00 \(2026-01-04 23:36:00 UTC\)/, 'with both times');
$b->click('#victims .open');
is(how_many('#victims .details'), 0, 'and a click closes it');
$b->type('#victims-filter', ' nonesuch');
is(how_many('#victims tbody tr'), 0, 'nothing matches');
$b->type('#victims-filter', $Browser::key{Backspace} x 40);
$b->click('#only-wasted');
is_deeply([ sort @{ column('victims', 2) } ], [ 1000 .. 1004 ], 'only wasted kills');

# --- the chart by keys ------------------------------------------------------------------------------------
$b->run('document.getElementById("timeline").focus()');
$b->press($Browser::key{Home});
is(plain($b->text('.readout')), 'Mon 5 Jan, 08:00 + 1 h: 100 sessions, 10 active '."\x{b7} A killed 37 (5 wasted)", 'a key reads a step');
$b->press($Browser::key{Right});
like(plain($b->text('.readout')), qr/09:00 \+ 1 h: 101 sessions, 10 active . A killed 0$/, 'the next one');
$b->press($Browser::key{End});
like(plain($b->text('.readout')), qr/123 sessions/, 'the last one');

# --- looks ------------------------------------------------------------------------------------------------
my $ground = 'return getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number).reduce((a, b) => a + b)';
cmp_ok($b->run($ground), '>', 600, 'light');
$b->media(scheme => 'dark');
cmp_ok($b->run($ground), '<', 150, 'dark where the reader likes it');
$b->media(scheme => 'dark', type => 'print');
is($b->run($ground), 765, 'paper is white');
is($b->run('return getComputedStyle(document.querySelector("#victims .tools")).display'), 'none', 'and has no controls');
$b->media(scheme => 'light');
for my $width (320, 420, 800, 910, 1280) {
    $b->size($width, 900);
    $b->until('return document.querySelector("#timeline svg").viewBox.baseVal.width === document.querySelector("#timeline").clientWidth');
    is($b->run('return document.documentElement.scrollWidth'), $width, "no part is wider than $width");
}

# --- two policies ---------------------------------------------------------------------------------------
my @own = map { victim(user => 'intern', db => undef) } 1 .. 3;
my @first = (@victims[ 0 .. 9 ], @own[ 0, 1 ]);
my @second = (@victims[ 0 .. 9 ], $own[2]);
shown(report(policies => [ policy('a/same.lua', \@first), policy('b/same.lua', \@second, failed_runs => 2, errors => [ { message => 'b/same.lua:3: oh', count => 2, first_ms => $start } ]) ],
    difference => { both => 10, only_first => [ @own[ 0, 1 ] ], only_second => [ $own[2] ], by_user => [ { key => 'intern', first => 2, second => 1 }, { key => 'etl', first => 4, second => 4 } ] }));
is_deeply(texts('.verdict h2 span'), [ 'a/same.lua', 'b/same.lua' ], 'files of the same name are told apart');
is(figure('A', 'kills') . ' ' . figure('B', 'kills'), '12 11', 'kills of both');
like(plain($b->text('#policy-B .sentence')), qr/2 of its 8,640 runs failed\.$/, 'failed runs are in the verdict');
like($b->text('#policy-B .errors'), qr/b\/same\.lua:3: oh 2 times, first at 5 Jan 2026, 08:00:00/, 'and their errors below');
is_deeply(texts('#difference .part b'), [ 2, 10, 1 ], 'only the first, both, only the second');
like($b->text('#difference .sentence'), qr{Both would have killed 10 sessions; a/same\.lua alone 2 sessions that b/same\.lua leaves; b/same\.lua alone 1 session}, 'in words');
is_deeply(texts('#by-differs .label'), ['intern'], 'users whom they treat differently');
is(how_many('#timeline rect.kill.fill-A') . how_many('#timeline rect.kill.fill-B'), '11', 'marks of each');
$b->click('#difference .part:nth-child(1) button');
is_deeply([ sort @{ column('victims', 2) } ], [ map { $_->{id} } @own[ 0, 1 ] ], 'those of the first alone');
$b->click('#difference .part:nth-child(3) button');
is_deeply(column('victims', 2), [ $own[2]{id} ], 'those of the second alone');
is($b->run('return document.activeElement.id'), 'victims-filter', 'where the reader now is');
$b->click('#victims .chooser button:nth-child(2)');
is(how_many('#victims tbody tr'), 11, 'all of the second');

# --- hostile text ---------------------------------------------------------------------------------------
my @evil = ('</script><script>window.hit = 1</script>', '<img src=x onerror="window.hit = 1">', "\x{2028}\x{2029}'\"`", '<!--<script>', ']]>-->&lt;b&gt;',
    '"};window.hit=1;//', 'javascript:window.hit=1', '{{7*7}}', "\x{0}\x{1}\x{7f}", "\x{202e}gnp", '__proto__', 'constructor');
my @bad = map { victim(user => $_, host => $_, db => $_, command => $_, state => $_, fingerprint => $_, sql_info => $_, reason => $_, instance => $_, kill => $_) } @evil;
my $hostile = policy($evil[0], \@bad, args => \@evil, errors => [ map { { message => $_, count => 1, first_ms => undef } } @evil ],
    refused_by => [ map { { limit => $_, count => 1, note => $_ } } @evil ]);
@{ $_ }{qw(user host criterion value note fingerprint)} = (@evil)[ 0 .. 5 ] for @{ $hostile->{near_misses} };
shown(report(files => \@evil, instances => \@evil, notes => \@evil, policies => [ $hostile, { %$hostile, policy => $evil[1] } ],
    difference => { both => 12, only_first => \@bad, only_second => [], by_user => [ map { { key => $_, first => 1, second => 0 } } @evil ] }));
is_deeply(texts('#notes li'), \@evil, 'notes are text, to the character');
$b->click("#by-$_ .more") for qw(user db host fingerprint kill);
is_deeply([ sort @{ texts("#by-$_ .label") } ], [ sort @evil ], "as are names by $_") for qw(user db host fingerprint kill);
is_deeply(column('victims', 4), \@evil, 'and databases in the table');
is_deeply(texts('#policy-A .errors code'), \@evil, 'and messages');
$b->run('document.querySelectorAll("#victims .open, #misses .open").forEach((e) => e.click())');
is(how_many('#victims .details'), 12, 'with all details open');
is(how_many('main script, main img, main iframe, main a, main b b, main [onerror]'), 0, 'no element came of it');
is(how_many('script'), 2, 'and no script');
is($b->run('return window.hit === undefined && ({}).polluted === undefined'), JSON::PP::true, 'nothing ran');

# --- nothing leaves ------------------------------------------------------------------------------------
is_deeply($b->run('return performance.getEntriesByType("resource").map((e) => e.name)'), [], 'it asked for nothing');
$b->run('const i = new Image(); i.src = "http://127.0.0.1:9/x.png"; document.body.append(i);
  document.addEventListener("securitypolicyviolation", (e) => { window.forbidden = e.violatedDirective })');
is($b->until('return window.forbidden'), 'img-src', 'and what it would ask for is forbidden');
$b->told;

# --- little and much ------------------------------------------------------------------------------------
shown(report(policies => [ policy('none.lua', [], outcomes => {}, refused_by => [], near_misses => [], near_miss_count => 0, saved_wait_ms => undef) ]));
is(plain($b->text('#policy-A .sentence')), 'Would have killed no session in 24 h.', 'no victim');
is(figure('A', 'waits'), "\x{2013}", 'lock waits are not known');
like($b->text('#victims-section'), qr/None/, 'an empty table says so');
is(how_many('#timeline rect.kill'), 0, 'and no mark');

my %null = map { $_ => undef } keys %{ $victims[0] };
shown(report(from_ms => undef, to_ms => undef, snapshots => 0, rows => 0, instances => [], files => [],
    timeline => { step_ms => undef, from_ms => undef, sessions => [ undef, 3, undef, 4 ], active => [ (undef) x 4 ] },
    policies => [ policy('null.lua', [], kills => 1, victims => [ \%null ], args => undef, errors => undef, wasted => undef, saved_ms => undef, saved_wait_ms => undef,
        runs => undef, every_ms => undef, sha256 => undef, respawns => undef, timeline => undef, refused_by => undef, near_misses => [ {} ], near_miss_count => undef,
        by => { map { $_ => [ { key => undef, count => 1, wasted => 0 } ] } qw(hour user db host fingerprint kill) }) ]));
is($b->text('#policy-A .sentence'), 'Would have killed 1 session.', 'a report in which nothing is known');
is_deeply([ map { $_->[0] } map { column('victims', $_) } 1, 3, 6 ], [ 'unknown', '(none)@(none)', 'unknown' ], 'says so');
shown(report(timeline => undef));
like($b->text('main'), qr/no snapshot/, 'a report without policies and time');

my @many = map { victim(at_ms => $start + $_ * 10_000, user => "u$_", sql_info => 'select ' . 'x' x 500) } 1 .. 5000;
shown(report(policies => [ policy('many.lua', \@many) ], timeline => { step_ms => $MINUTE, from_ms => $start, sessions => [ (5) x 1440 ], active => [ (1) x 1440 ] }));
is(figure('A', 'kills'), '5,000', 'thousands of victims');
is(how_many('#victims tbody tr'), 25, 'a page at a time');
$b->type('#victims-filter', 'u4999');
is_deeply(column('victims', 3), ['u4999@10.0.0.7'], 'and any can be found');
is($b->run('return document.querySelectorAll("#by-user li").length'), 8, 'the first of many users');
$b->click('#by-user .more');
is($b->run('return document.querySelectorAll("#by-user li").length'), 5000, 'and all of them');

# A report that is none: the page says so.
$b->go(page('{"files": [}'));
like($b->text('main'), qr/data in this page is damaged/, 'damaged data is called so');

done_testing();
