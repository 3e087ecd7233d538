#!/usr/bin/perl
# das explain: why each session is in or out, the nearest misses first; by a filter and by a policy.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use Das;
use Das qw($AUTO);

my $sample = 'mem:' . getcwd() . '/tests/samples/recording.jsonl';
my $policies = getcwd() . '/scripts/policies';
my $dir = tempdir(CLEANUP => 1);

sub put {
    my ($name, $text) = @_;
    open my $f, '>', "$dir/$name" or die "$dir/$name: $!";
    print $f $text;
    close $f;
    return "$dir/$name";
}

# A list of sessions as an instance in memory.
sub instance {
    my ($name, @sessions) = @_;
    my @rows = map { my %s = (user => 'app', host => '10.0.0.1:1', db => 'shop', command => 'Query', state => '',
        sql_info => 'select 1', state_duration => 0, %$_); \%s } @sessions;
    return 'mem:' . put("$name.json", JSON::PP->new->encode({ data_sync_time => 1700000000, processes => \@rows }));
}

sub ask { return das(ref $_[0] ? shift : (), 'explain', @_) }

sub ask_json {
    my $r = ask(@_, '-o', 'json');
    $r->{json} = [ map { JSON::PP->new->decode($_) } split /\n/, $r->{out} ];
    $r->{by_id} = { map { $_->{session}{id} => $_ } map { @{ $_->{sessions} } } @{ $r->{json} } };
    $r->{order} = [ map { $_->{session}{id} } map { @{ $_->{sessions} } } @{ $r->{json} } ];
    return $r;
}

sub fails {
    my ($want, $message, @args) = @_;
    my $r = ask(@args);
    is $r->{exit}, $want, "explain @args: exit $want";
    is $r->{out}, '', '... nothing on standard output';
    like $r->{err}, $message, '... a message that helps';
}

# --- a filter: the order ---------------------------------------------------------------------------
my $small = instance('small',
    { id => 1, state_duration => 57 }, { id => 2, state_duration => 60 }, { id => 3, state_duration => 30 },
    { id => 4, state_duration => undef }, { id => 5, state_duration => 59, user => 'root' },
    { id => 6, state_duration => 900, user => 'root', db => 'x' }, { id => 7, state_duration => 90 },
    { id => 8, state_duration => 57 });
my $r = ask_json('-i', $small, '--user', 'app', '--db', 'shop', '--time', '1m');
is $r->{exit}, 0, 'by a filter' or diag $r->{err};
is_deeply $r->{order}, [ 1, 8, 3, 4, 5, 6, 2, 7 ], 'the nearest first: numbers, what nobody can tell, texts; then who is in';
my $one = $r->{by_id}{1};
is_deeply [ @$one{qw(fate why miss_count preview)} ], [ 'out', 'time >= 60 s: 57 s (3 s too young)', 1, 1 ], 'a near miss';
is_deeply $one->{misses}, [ { criterion => 'time >= 60 s', value => '57 s', note => '3 s too young', gap => 0.05 } ],
    '... in parts';
ok $one->{out}, '... is out';
is $r->{by_id}{4}{why}, 'time >= 60 s: unknown (the source does not tell)', 'what nobody can tell';
is $r->{by_id}{5}{miss_count}, 2, 'two criteria are in the way';
is_deeply [ @{ $r->{by_id}{2} }{qw(fate why)}, exists $r->{by_id}{2}{misses} ? 1 : 0 ], [ 'in', 'matches', 0 ], 'who is in';
my $j = $r->{json}[0];
is_deeply [ @$j{qw(policy session_count out_count)} ], [ undef, 8, 6 ], 'counts';
is_deeply $j->{previews}, [ { preview => 1, filter => '{user="app", db="shop", time=60}', selected => 2, sessions => 8,
    complete => JSON::PP::true, data_sync_time => 1700000000 } ], 'the filter';

# Its verdicts are those of das preview.
for my $args (['--command', 'Query', '--time', 60, '--info', 'select'], ['--user', 'shop%', '--trx-time', 1], ['--all'],
    ['--state', '%'], ['--rows-modified', 0]) {
    my $seen = das_json($sample, @$args);
    $r = ask_json('-i', $sample, @$args);
    is_deeply [ sort map { $_->{session}{id} } grep { !$_->{out} } values %{ $r->{by_id} } ],
        [ sort map { $_->{id} } @{ $seen->{json}{processes} } ], "@$args: in is what das preview selects";
    is scalar keys %{ $r->{by_id} }, 46, '... and everybody is told';
}

# --- a filter: the table -----------------------------------------------------------------------------
$r = ask('-i', $small, '--user', 'app', '--db', 'shop', '--time', '60');
is $r->{out}, <<"TEXT", 'a table';
$small: 8 sessions, 6 out, 2 in
{user="app", db="shop", time=60} selects 2 of 8

out, the nearest first
id  user  db    command  time  why
1   app   shop  Query    57    time >= 60 s: 57 s (3 s too young)
8   app   shop  Query    57    time >= 60 s: 57 s (3 s too young)
3   app   shop  Query    30    time >= 60 s: 30 s (30 s too young)
4   app   shop  Query    ?     time >= 60 s: unknown (the source does not tell)
5   root  shop  Query    59    user = "app": "root"; time >= 60 s: 59 s (1 s too young)
6   root  x     Query    900   user = "app": "root"; db = "shop": "x"

in
id  user  db    command  time  why
2   app   shop  Query    60    matches
7   app   shop  Query    90    matches
TEXT
$r = ask('-i', $small, '--user', 'app', '--time', '60', '--nearest', 2);
like $r->{out}, qr/^1 .*\n8 .*\n\.\.\. and 4 more \(--nearest 0 shows all\)\n\nin\n/m, '--nearest';
$r = ask_json('-i', $small, '--time', '60', '--nearest', 1);
is_deeply $r->{order}, [ 5, 2 ], '... also in JSON';
$r = ask('-i', $sample, '--command', 'Query', '--time', '1h');
like $r->{out}, qr/^\.\.\. and 26 more/m, '20 without it';
unlike ask('-i', $sample, '--command', 'Query', '--time', '1h', '--nearest', 0)->{out}, qr/more \(/, '0: all';
$r = ask_json('-i', $small, '--user', 'app', '--time', 60, '--oldest', 1);
is $r->{by_id}{2}{why}, 'matches, but --oldest 1 keeps others', 'what --oldest leaves out';
is_deeply [ @{ $r->{order} }[ 0, 1, -1 ] ], [ 2, 1, 7 ], '... is nearest of all';
$r = ask_json('-i', $sample, '--all');
is $r->{by_id}{12}{fate}, 'in', 'who replicates matches';
like $r->{by_id}{12}{why}, qr/^matches; protected from every kill: /, '... and is said to be protected';

# --- one session -------------------------------------------------------------------------------------
$r = ask('-i', $small, '--user', 'app', '--time', '60', '--session', 5);
is $r->{exit}, 0, '--session';
is $r->{out}, <<"TEXT", '... all about it';
$small, session 5: out: user = "app": "root"; time >= 60 s: 59 s (1 s too young)
session 5: out
  all of                  out
    user = "app"  "root"  out
    time >= 60 s  59 s    out  (1 s too young)
TEXT
(my $rest = $r->{out}) =~ s/^.*\n//;
is das('preview', '-i', $small, '--user', 'app', '--time', '60', '--explain', 5)->{out}, $rest, '... as das preview --explain';
$r = ask_json('-i', $small, '--user', 'app', '--time', '60', '--session', 5);
is_deeply $r->{order}, [5], '... in JSON';
is_deeply [ map { [ @$_{qw(depth criterion value truth note)} ] } @{ $r->{by_id}{5}{explanations}[0]{lines} } ],
    [ [ 0, 'all of', '', 'out', '' ], [ 1, 'user = "app"', '"root"', 'out', '' ],
      [ 1, 'time >= 60 s', '59 s', 'out', '1 s too young' ] ], '... line by line';
fails(1, qr/^das explain: no session 99$/, '-i', $small, '--all', '--session', 99);
fails(1, qr/no session 99 in what the policy looked at/, '-i', $small, '--policy', "$policies/long_select.lua", '--session', 99);

# --- a policy ------------------------------------------------------------------------------------------
my $long = "$policies/long_select.lua";
my @plain = ('--config', put('plain.lua', qq[return { state = "$dir/state" }\n]));    # nobody is promoted
$r = ask_json(@plain, '-i', $sample, '--policy', $long, '30s', 1);
is $r->{exit}, 0, 'by a policy' or diag $r->{err};
$j = $r->{json}[0];
is_deeply [ $j->{policy}, $j->{session_count}, $j->{out_count} ], [ $long, 46, 45 ], '... all sessions';
is_deeply [ @{ $r->{by_id}{1987} }{qw(fate why plan)}, $r->{by_id}{1987}{out} ? 1 : 0 ],
    [ 'dry_run', 'would be killed (query)', 1, 0 ], 'a victim';
is_deeply [ @{ $r->{by_id}{1990} }{qw(fate why)} ],
    [ 'left_out', q(left out by the policy's own code after the preview) ], 'dropped by :oldest(1)';
is $r->{order}[0], 1990, '... is the nearest of those that are out';
is $r->{order}[-1], 1987, 'the victim comes last';
is $r->{by_id}{2400}{why}, 'time >= 30 s: 24 s (6 s too young)', 'a near miss, by the argument';
like $r->{by_id}{1801}{why}, qr/^not user like "backup%": "backup"$/, 'spared by name';
like $j->{plans}[0]{would_block}, qr/^mode observe/, 'an armed one would be refused';
is_deeply [ @{ $j->{plans}[0] }{qw(plan kill reason victims problem)} ], [ 1, 'query', 'select over 30s', 1, undef ], 'the plan';
like $r->{err}, qr/3 snapshots/, 'warnings of the preview are on stderr';
my $run = das('run', '-i', $sample, '-o', 'json', $long, '30s', 1);
like $run->{out}, qr/"id":1987/, 'das run would kill the same';

$r = ask(@plain, '-i', $sample, '--policy', $long, '30s', 1, '--nearest', 2);
like $r->{out}, qr/^\Q$sample\E: 46 sessions, 45 out, 1 in a plan, 1 would be killed by \Q$long\E\npreview 1: .* selects 2 of 46\nplan 1: kill = "query", 1 victim, reason "select over 30s"\n  armed, it would be refused: mode observe.*\n\nout, the nearest first\nid .*\n1990 .*left out by.*\n2400 .*24 s \(6 s too young\)\n\.\.\. and 43 more.*\n\nin a plan\nid .*\n1987 +report +shop +Query +1310 +would be killed \(query\)\n\z/,
    'as a table';
$r = ask(@plain, '-i', $sample, '--policy', $long, '--session', 1987);
like $r->{out}, qr/session 1987: in a plan: would be killed \(query\)\nplan 1: .*\n  armed.*\npreview 1, session 1987: in\n  all of /,
    '--session of a victim; options may follow the policy';

# where(fn), several previews, plans that are not applied
my $p = put('p.lua', <<'LUA');
local first = das.preview{ user = "app", time = 60 }
local second = das.preview{ user = "root", time = 600 }
local odd = first:where(function(s) return s.id % 2 == 1 end)
odd:plan{ kill = "query", reason = "odd" }:apply()
second:plan{ kill = "connection", reason = "never applied" }
print("this is not shown")
LUA
$r = ask_json('-i', $small, '--policy', $p);
is_deeply { map { $_ => $r->{by_id}{$_}{fate} } 1 .. 8 },
    { 1 => 'out', 2 => 'left_out', 3 => 'out', 4 => 'out', 5 => 'out', 6 => 'planned', 7 => 'dry_run', 8 => 'out' },
    'where(fn) drops, a plan is not applied' or diag $r->{err};
is $r->{by_id}{6}{why}, 'in a plan that was not applied', '... which is said';
is $r->{by_id}{5}{why}, 'preview 2: time >= 600 s: 59 s (541 s too young)', 'the preview that it came nearest to';
is $r->{by_id}{1}{why}, 'preview 1: time >= 60 s: 57 s (3 s too young)', '... for each';
is $r->{by_id}{2}{preview}, 1, 'which one selected it';
is_deeply [ map { $_->{applied} ? 1 : 0 } @{ $r->{json}[0]{plans} } ], [ 1, 0 ], 'two plans';
unlike $r->{out} . $r->{err}, qr/this is not shown/, 'what the policy prints is not';
$r = ask('-i', $small, '--policy', $p, '--session', 5);
like $r->{out}, qr/^preview 1, session 5: out\n.*^preview 2, session 5: out\n/ms, '--session tells of each preview';

# protected, refused, limits
my $own = put('das.lua', qq[return { state = "$dir/state", $AUTO, limits = { kill = { run = 1, percent = 100 } },
    protect = { { user = "app", db = "vip" } } }\n]);
my $guarded = instance('guarded', { id => 1, state_duration => 100, db => 'vip' }, { id => 2, state_duration => 90 },
    { id => 3, state_duration => 80 }, { id => 4, command => 'Binlog Dump', user => 'repl', state_duration => 500 });
my $all = put('all.lua', 'das.preview{ all = true }:plan{ kill = "connection", reason = "all" }:apply()');
$r = ask_json('--config', $own, '-i', $guarded, '--policy', $all);
is_deeply { map { $_ => $r->{by_id}{$_}{fate} } 1 .. 4 },
    { 1 => 'protected', 2 => 'dry_run', 3 => 'dry_run', 4 => 'protected' }, 'who is protected' or diag $r->{err};
like $r->{by_id}{1}{why}, qr/^protected: .*vip/, '... and why';
like $r->{by_id}{4}{why}, qr/^protected: .*replic/i, '... by the built-in list, too';
like $r->{json}[0]{plans}[0]{would_block}, qr/limits\.kill\.run|at most 1/, 'the limit that an armed run would meet';
$r = ask_json('--config', $own, '-i', $guarded, '--all');
like $r->{by_id}{1}{why}, qr/^matches; protected from every kill: .*vip/, 'also without a policy';

# ~{trx_time = 0}: no number is less than 0, so waiting does not help
$r = ask_json('-i', $sample, '--policy', "$policies/connection_hogs.lua", 2);
is $r->{by_id}{2044}{why}, 'not trx_time >= 0 s: 695 s', 'in a transaction: not idle';
is $r->{by_id}{1500}{fate}, 'left_out', 'a group keeps some';
is $r->{by_id}{1506}{fate}, 'dry_run', '... and loses others';
my ($near) = grep { $r->{order}[$_] == 2100 } 0 .. 45;
my ($far) = grep { $r->{order}[$_] == 2044 } 0 .. 45;
cmp_ok $near, '<', $far, '58 s too young is nearer than what no waiting changes';

# unknown numbers, no preview at all, failures
$r = ask_json('-i', $small, '--policy', put('trx.lua', 'das.preview{ trx_time = "1m" }'));
is $r->{by_id}{7}{why}, 'trx_time >= 60 s: unknown (the source does not tell)', 'unknown under a policy';
$r = ask('-i', $small, '--policy', put('nothing.lua', 'local x = 1'));
is $r->{out}, "$small: $dir/nothing.lua did not look at it\n", 'a policy that looks at nothing';
$r = ask('-i', $small, '-i', $guarded, '--policy', put('first.lua', 'das.instance(das.instances()[1].name):preview{ time = 60 }'));
like $r->{out}, qr/^\Q$small\E: 8 sessions, 8 out.*^\Q$guarded\E: .* did not look at it$/ms, 'one of two instances' or diag $r->{err};
$r = ask('-i', $small, '--policy', put('broken.lua', 'das.preview{ user = "app", time = 60 } error("no further")'));
is $r->{exit}, 1, 'a policy that fails: exit 1';
like $r->{err}, qr/broken\.lua:1: no further.*this is how far it came/s, '... says where';
like $r->{out}, qr/57 s \(3 s too young\)/, '... and what it had seen';
my $http = put('http.lua', qq[return { state = "$dir/state", scripts = { ["*"] = { grants = { "preview", "http", "instance:*" } } } }\n]);
$r = ask('--config', $http, '-i', $small, '--policy', put('tell.lua', <<'LUA'));
local r, why = das.http.post("http://127.0.0.1:9/hook", { json = { text = "x" } })
if r or not why:find("das explain sends no requests") then error("what? " .. tostring(why)) end
das.preview{ time = 60 }
LUA
is $r->{exit}, 0, 'a request fails, and the policy goes on' or diag $r->{err};
like $r->{err}, qr/^das explain: 1 HTTP request of the policy was not sent and failed$/m, '... which is said';
like $r->{out}, qr/selects 3 of 8/, '... and what it looked at is told';
is das('audit', 'list')->{out}, '', 'nothing is in the journal';

# --- mistakes ------------------------------------------------------------------------------------------
fails(2, qr/no instance: say -i INSTANCE/, '--all');
fails(2, qr/explain what\? say --policy SCRIPT, or criteria such as/, '-i', $small);
fails(2, qr/a policy or criteria, not both/, '-i', $small, '--policy', $p, '--user', 'x');
fails(2, qr/"p\.lua" is no option; a policy is given as --policy p\.lua/, '-i', $small, 'p.lua');
fails(2, qr/one policy at a time/, '-i', $small, '--policy', $p, '--policy', $p);
fails(2, qr/--session: expected a whole number, got "x"/, '-i', $small, '--all', '--session', 'x');
fails(2, qr/--nearest: expected a whole number, got "few"/, '-i', $small, '--all', '--nearest', 'few');
fails(2, qr/expected table or json, got "csv"/, '-i', $small, '--all', '-o', 'csv');
fails(2, qr/unknown option --sesion; did you mean --session\?/, '-i', $small, '--sesion', 1);
fails(2, qr/no source knows "Qury"; did you mean "Query"/, '-i', $small, '--command', 'Qury');
fails(1, qr/missing\.lua/, '-i', $small, '--policy', "$dir/missing.lua");
$r = das('help', 'explain');
like $r->{out}, qr/das explain -i INSTANCE.*--policy.*Examples/s, 'help';
$r = ask('-i', $small, '-i', "file:$dir/missing", '--time', 60);
is $r->{exit}, 4, 'an instance that cannot be read does not hide the other';
like $r->{out}, qr/^\Q$small\E: 8 sessions/, '... which is told';

done_testing;
