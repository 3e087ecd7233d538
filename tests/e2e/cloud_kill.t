#!/usr/bin/perl
# cloud_kill.t - plans and their kills on das://: the same plan, a fresh preview right before each kill,
# the API's own kill of one session, and an outcome that was looked for.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;
use lib 'tests/e2e/lib';
use CloudServer;
use Das qw(das das_json das_script das_config $AUTO $MANY);

my $dir = tempdir('das-cloud-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($c, $url, $opt);

sub session {
    my ($id, %more) = @_;
    return { id => $id, user => 'app', host => "10.0.0.7:$id", db => 'shop', command => 'Query', state => 'executing',
        sql_info => "select $id from t", state_duration => 100, %more };
}

sub cloud {
    $c = CloudServer->new(@_);
    $url = "das://@{[ $c->region ]}/@{[ $c->project ]}/@{[ $c->instance ]}?endpoint=@{[ $c->endpoint ]}";
    $opt = { env => $c->env };
}

# Runs a policy armed; what it prints is JSON lines.
sub armed {
    my ($lua, @args) = @_;
    return das_script($opt, $url, $lua, '--apply', @args);
}
my $kill = 'local r = assert(das.preview{ user = "app", time = 60 }:plan{ kill = "connection", reason = "old" }:apply()) '
    . 'for _, o in ipairs(r.outcomes) do print(o.id, o.outcome, o.action, o.note) end';

cloud();
$c->sessions([ map { session($_, state_duration => $_ <= 3 ? 100 : 5) } 1 .. 6 ]);

# --- a dry run, and the real one --------------------------------------------------------------------------

my $r = das_script($opt, $url, $kill);
is $r->{out}, join('', map {"$_\tdry_run\tconnection\t\n"} 1 .. 3), 'a dry run says what it would do' or diag $r->{err};
is $c->count('kill_process'), 0, 'and kills nothing';
$c->forget;
$r = armed($kill);
is $r->{out}, join('', map {"$_\tkilled\tconnection\t\n"} 1 .. 3), 'armed: these three' or diag $r->{err};
is $r->{exit}, 0, 'all well';
is_deeply [ sort map { $_->{id} } $c->killed ], [ 1, 2, 3 ], 'and no others';
my @calls = grep { $_->{operation} =~ /^(preview|kill_process)$/ } $c->requests;
my @before = map { $calls[ $_ - 1 ]{operation} } grep { $calls[$_]{operation} eq 'kill_process' } 1 .. $#calls;
is_deeply \@before, [ ('preview') x 3 ], 'right before each kill lies a fresh preview';
for my $i (grep { $calls[$_]{operation} eq 'kill_process' } 1 .. $#calls) {
    my ($look, $shot) = map { decode_json($_->{body}) } @calls[ $i - 1, $i ];
    is $look->{user}, 'app', 'of that user\'s sessions';
    is scalar(@{ $shot->{processes} }), 1, 'and one session is ended at a time';
}
$r = armed('print(das.preview{ user = "app", time = 60 }.total_count)');
is $r->{out}, "0\n", 'they are gone';

# --- what changed in between is spared ------------------------------------------------------------------------

for my $t (
    [ 'another statement', { sql_info => 'update t set a = 1' }, 'changed' ],
    [ 'another user', { user => 'other' }, '(?:gone|changed)' ],
    [ 'the same statement begun anew', { state_duration => 62 }, 'changed' ],
    [ 'another command', { command => 'Sleep' }, 'changed' ],
    [ 'another database', { db => 'x' }, 'changed' ],
    [ 'too young now', { state_duration => 1 }, 'changed' ],
) {
    my ($name, $change, $outcome) = @$t;
    # after the preview, or after the look at everybody: the look right before the kill notices it
    for my $n (1, 2) {
        cloud();
        $c->sessions([ session(1), session(2, user => 'idle', command => 'Sleep') ]);
        $c->after('preview', $n, { sessions => [ session(1, state_duration => 101, %$change), session(2, user => 'idle', command => 'Sleep') ] });
        $r = armed($kill);
        like $r->{out}, qr/^1\t$outcome\t/, "$name, after preview $n: $outcome" or diag $r->{err};
        is $c->count('kill_process'), 0, 'and spared';
    }
}
cloud();
$c->sessions([ session(1), session(2) ]);
$c->after('preview', 2, { remove => [1] });
$r = armed($kill);
like $r->{out}, qr/^1\tgone\t.*\n2\tkilled\t/, 'one that ended by itself is gone' or diag $r->{out}, $r->{err};

# --- what the API cannot do --------------------------------------------------------------------------------------

cloud();
$c->sessions([ session(1) ]);
$r = armed('print(das.preview{ user = "app" }:plan{ kill = "query" }:apply())');
like $r->{out}, qr/1 refused/, 'a statement cannot be ended without its connection, and nothing stronger is done instead' or diag $r->{err};
like $r->{out}, qr/the DAS API ends connections, not statements/, 'which is said';
is $c->count('kill_process'), 0, 'nothing was sent';
$r = armed('print(das.preview{ user = "app" }:plan{ kill = "auto" }:apply())');
like $r->{out}, qr/1 killed/, 'auto: the connection' or diag $r->{err};
like $r->{out}, qr/not noticed: the DAS API ends a session by its number/, 'the window that remains is in the report';
like $r->{out}, qr/looked at \d+ ms before/, 'with its length';
$c->sessions([ session(8) ]);
$r = das_script($opt, $url, 'print(das.preview{ user = "app" }:plan{}:apply())', '--apply', '-o', 'json');
my $report = eval { decode_json($r->{out}) };
like $report->{kill_window}, qr/between the last look/, 'in JSON, too' or diag $r->{out};
like $report->{outcomes}[0]{look_age_ms}, qr/^\d+$/, 'and its length';

# --- a list that is cut proves nothing ------------------------------------------------------------------------------

cloud();
$c->sessions([ session(1, host => '10.0.0.1:1'), map { session($_, user => 'mass', host => "10.9.9.9:$_", command => 'Sleep') } 2 .. 900 ]);
$r = armed($kill);
is $r->{out}, "1\tkilled\tconnection\t\n", 'one of 900, among more than one answer holds' or diag $r->{err};
cloud();
$c->sessions([ map { session($_, host => "10.0.0.1:$_") } 1 .. 300 ]);
$r = armed('local p = das.preview{ user = "app", time = 60 } print(p.complete, #p) '
    . 'local r = p:limit(2):plan{ kill = "connection" }:apply() print(r)');
like $r->{out}, qr/^false\t200\n/, '300 of one user on one host: cut' or diag $r->{err};
unlike $r->{out}, qr/gone/, 'a victim that is not in a cut list is not called gone';

# --- kills whose outcome nobody tells -----------------------------------------------------------------------------------

for my $t (
    [ 'no answer, and it was done', [ { perform => 1, close => 1 } ], qr/.*a look afterwards: it is gone/ ],
    [ 'no answer, and it was not done', [ { drop_before => 1 } ], qr/.*a look afterwards: it is still there/ ],
    [ 'a bad gateway', [ { status => 502, body => '' } ], qr/.*HTTP 502.*a look afterwards: it is still there/ ],
) {
    my ($name, $steps, $note) = @$t;
    cloud();
    $c->sessions([ session(1), session(2) ]);
    $c->script('kill_process', $steps);
    $r = armed($kill);
    like $r->{out}, qr/^1\tunknown\tconnection\t$note/, "$name: unknown, and then a look" or diag $r->{out}, $r->{err};
    like $r->{out}, qr/^2\trefused/m, 'the next one is not tried';
    is $c->count('kill_process'), 1, 'one kill was sent, once';
    is $r->{exit}, 8, 'exit 8';
}
cloud();
$c->sessions([ session(1), session(2) ]);
$c->script('kill_process', [ { status => 403, body => { error_code => 'APIGW.0302', error_msg => 'no' } } ]);
$r = armed($kill);
like $r->{out}, qr/^1\tfailed\tconnection\t.*add das:clouddba:deleteProcess/, 'a permission that is missing: failed, and which one' or diag $r->{out}, $r->{err};
cloud();
$c->sessions([ session(1) ]);
$c->script('kill_process', [ { status => 200, body => { count => 1 }, times => 1 } ]);
$r = das_script($opt, $url, $kill, '--apply', '--config', config('outcome_wait = "2s",'));
like $r->{out}, qr/^1\tfailed\tconnection\tthe server accepted the kill, but it goes on/, 'accepted, and still there: failed' or diag $r->{out}, $r->{err};

# --- by a registered database user ----------------------------------------------------------------------------------------

sub config {
    my ($more) = @_;
    my $path = "$dir/das" . int(rand 1e9) . '.lua';
    open my $fh, '>', $path or die;
    print $fh qq{return { $more state = "$dir/state", limits = { $MANY }, $AUTO }\n};
    close $fh;
    return $path;
}
my $ops = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
cloud(db_users => [ { db_user_id => $ops, db_username => 'ops' } ]);
$c->sessions([ session(1), session(2, state_duration => 1) ]);
$r = das($opt, 'run', '-i', 'orders', '--apply', '--config', config(qq{instances = { orders = { source = "$url", db_user_id = "$ops" } },}), policy($kill));
like $r->{out}, qr/^1\tkilled/, 'through db_user_id' or diag $r->{out}, $r->{err};
is_deeply [ map { decode_json($_->{body}) } $c->requests('delete_process') ], [ { db_user_id => $ops, process_ids => ['1'] } ], 'by the session\'s id alone';
sub policy {
    my ($lua) = @_;
    open my $fh, '>', "$dir/policy.lua" or die;
    print $fh $lua;
    close $fh;
    return "$dir/policy.lua";
}

# --- plans in files, disputed sessions --------------------------------------------------------------------------------------

cloud(info_reading => 'loose');
$c->sessions([ session(1), session(2, sql_info => 'update x') ]);
my $choose = 'das.preview{ user = "app", info = "select" }:plan{ kill = "connection", %s }:apply()';
$r = das($opt, 'run', '-i', $url, '--plan-out', "$dir/plan.jsonl", policy(sprintf $choose, ''));
is $r->{exit}, 0, 'a plan in a file' or diag $r->{err};
$r = das($opt, 'apply', "$dir/plan.jsonl");
like $r->{out}, qr/1 killed/, 'is applied' or diag $r->{out}, $r->{err};
is_deeply [ map { $_->{id} } $c->killed ], [1], 'the disputed one is not among its victims';
$r = das($opt, 'run', '-i', $url, '--plan-out', "$dir/trust.jsonl", policy(sprintf $choose, 'trust_source = true'));
like slurp("$dir/trust.jsonl"), qr/"trust_source":true.*"disputed":true/, 'with trust_source it is, and the plan says so';
$r = das($opt, 'plan', 'show', "$dir/trust.jsonl");
like $r->{out}, qr/trusting the source: disputed sessions are among the victims/, 'to people, too' or diag $r->{out}, $r->{err};
$r = das($opt, 'apply', "$dir/trust.jsonl");
like $r->{out}, qr/1 killed/, 'and it dies, since the API selects it still' or diag $r->{out}, $r->{err};
$c->sessions([ session(5, sql_info => 'update y') ]);
$r = das($opt, 'run', '-i', $url, '--plan-out', "$dir/later.jsonl", policy(sprintf $choose, 'trust_source = true'));
$c->set(info_reading => 'keywords');
$r = das($opt, 'apply', "$dir/later.jsonl");
like $r->{out}, qr/1 gone|1 changed/, 'when the API does not select it any more, it is spared' or diag $r->{out}, $r->{err};
is scalar(grep { $_->{id} == 5 } $c->killed), 0, 'and lives';
sub slurp { open my $fh, '<', $_[0] or return ''; local $/; return scalar <$fh> }

# --- a list from before --------------------------------------------------------------------------------------------------------

cloud();
$c->sessions([ session(1) ]);
$c->after('preview', 1, { set => { data_sync_time => time - 3600 } });
$r = armed($kill);
like $r->{out}, qr/^1\trefused\t\tthe list that the source gave is older than the preview/, 'a re-check that is older than the preview is none' or diag $r->{out}, $r->{err};
is $c->count('kill_process'), 0, 'nothing is killed by it';

cloud();
$c->sessions([ session(1) ]);
$c->set(data_sync_time => time - 30);
$r = armed($kill);
like $r->{out}, qr/^1\trefused\t\tthe list that the source gave is 3\d s old/, 'nor one that was old when it came' or diag $r->{out}, $r->{err};
like $r->{err}, qr/the DAS API gave a list that was 3\d s old/, 'which the preview says, too';
is $c->count('kill_process'), 0, 'nothing is killed by that either';

# --- the policies that come with das, unchanged -----------------------------------------------------------------------------------

cloud();
$c->sessions([ map { session($_, state_duration => 500, user => "u$_") } 1 .. 4 ]);
for my $script (glob 'scripts/policies/*.lua') {
    $r = das($opt, 'run', '-i', $url, $script);
    ok $r->{exit} == 0 || $r->{exit} == 5, "$script runs on das://" or diag $r->{out}, $r->{err};
}
is_deeply [ $c->violations ], [], 'nothing was sent that a careful client does not send';

done_testing();
