#!/usr/bin/perl
# Runbooks by the command line: steps, questions, waits, decisions, transcripts; and das that dies, as
# in a power cut, at every place of a run. Afterwards the run goes on: no step that had finished runs
# again, none is lost, and what may have acted without a result is for a person to decide.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);
use Das;
use Herd;
use MariaDB;
use Serve;

my $dir = tempdir('das-runbook-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $build = $ENV{BUILD} || 'build';
my $faults = getcwd() . "/$build/das-faults";
my $count = 0;

sub write_file {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out;
    return $path;
}

# A state directory of its own, and a das.lua that lets kills through.
sub new_state {
    my $at = "$dir/" . ++$count;
    mkdir $at;
    return write_file("$at/das.lua", qq{return { state = "$at/state", limits = { $Das::MANY }, $Das::AUTO }\n});
}

my $list = write_file("$dir/list.jsonl",
    join '', map { encode_json($_) . "\n" } {
        data_sync_time => 1764000000, total_count => 2,
        processes => [ { id => 5, user => 'app', host => '1.2.3.4:5', db => 'shop', command => 'Query',
                state => '', sql_info => 'select 1', state_duration => 100 },
            { id => 6, user => 'app', host => '1.2.3.4:6', db => 'shop', command => 'Sleep',
                state => '', sql_info => '', state_duration => 3 } ],
    });

sub runbook {
    my ($config, $verb, @args) = @_;
    my $opt = ref $args[0] ? shift @args : {};
    $opt->{env}{DAS_CONFIG} = $config;
    local $ENV{DAS} = $opt->{program} if $opt->{program};
    return das($opt, 'runbook', $verb, @args);
}

sub show { return JSON::PP->new->decode(runbook($_[0], 'show', $_[1], '-o', 'json')->{out}) }

# --- what it says ----------------------------------------------------------------------------------
my $script = write_file("$dir/one.lua", <<'LUA');
local p = das.runbook{ name = "one", params = { limit = { type = "integer", default = 3, max = 9 },
  user = { type = "string", default = "%" }, age = { type = "duration", default = "1m" } } }
das.step("look", function() print("RUN look") return { seen = #das.preview{ all = true }, age = p.age } end)
local choice, who = das.step.ask{ question = "Go on?", name = "go", choices = { "yes", "no" },
  approvers = das.params.user ~= "%" and { das.params.user } or nil, ttl = "2h" }
print("answer " .. tostring(choice) .. " by " .. tostring(who))
das.step("end", function() print("RUN end") return "limit " .. p.limit end)
LUA

subtest 'a run that asks' => sub {
    my $config = new_state();
    my $r = runbook($config, 'run', '-i', "mem:$list", '--param', 'limit=4', $script);
    is($r->{exit}, 0, 'it waits');
    is($r->{out}, "RUN look\n", 'after its first step');
    like($r->{err}, qr/run 1 asks: Go on\?\n  das runbook answer 1 2 yes\|no /, 'and says for what');
    $r = runbook($config, 'run', '-i', "mem:$list", $script);
    is($r->{exit}, 5, 'a second one with the same key is refused');
    like($r->{err}, qr/runbook 1 is open with the same key/, 'and told which one there is');
    is(runbook($config, 'resume', 1)->{exit}, 5, 'it does not go on without an answer');
    $r = runbook($config, 'answer', 1, 'go', 'maybe');
    is($r->{exit}, 2, 'none of its choices');
    like($r->{err}, qr/expected yes, no/, 'which are named');
    is(runbook($config, 'answer', 1, 'go', 'yes', '--reason', 'INC-1')->{exit}, 0, 'answered');
    like(runbook($config, 'answer', 1, 2, 'no')->{err}, qr/was answered already: "yes" by /, 'once');
    $r = runbook($config, 'resume', 1);
    is($r->{exit}, 0, 'it goes on');
    like($r->{out}, qr/^answer yes by \w+\nRUN end\n$/, 'where it was');
    my $all = show($config, 1);
    is($all->{status}, 'done', 'and is done');
    is_deeply([ map { $_->{name} } @{ $all->{steps} } ], [qw(look go end)], 'its steps');
    is_deeply($all->{steps}[0]{result}, { seen => 2, age => 60 }, 'a result');
    is($all->{steps}[1]{reason}, 'INC-1', 'why somebody said so');
    is($all->{params}{limit}, 4, 'its parameter');
    $r = runbook($config, 'show', 1, '-o', 'markdown');
    like($r->{out}, qr/^# one: done\n/, 'for a ticket');
    like($r->{out}, qr/Answered by \w+: INC-1\n/, 'who answered');
    like(runbook($config, 'list')->{out}, qr/^1 +done /m, 'in the list');
    is(runbook($config, 'list', '--open')->{out}, "no open runs\n", 'of those that are open it is none');
    is(runbook($config, 'resume', 1)->{exit}, 5, 'it has ended');
    my @journal = map { JSON::PP->new->decode($_) }
        split /\n/, das({ env => { DAS_CONFIG => $config } }, 'audit', 'list', '--kind', 'runbook', '-o', 'json')->{out};
    is_deeply([ map { $_->{event} } @journal ], [qw(started answered done)], 'the journal has who decided what');
    is(das({ env => { DAS_CONFIG => $config } }, 'audit', 'verify')->{exit}, 0, 'and is whole');
};

subtest 'parameters' => sub {
    my $config = new_state();
    for my $case (
        [ 'limit=10', qr/--param limit: expected a whole number up to 9, got "10"/ ],
        [ 'limit=x', qr/--param limit: expected a whole number/ ],
        [ 'age=soon', qr/--param age: expected a duration/ ],
        [ 'limt=3', qr/--param limt: no such parameter; did you mean limit\?/ ],
        [ 'limit', qr/expected NAME=VALUE, got "limit"/ ],
    ) {
        my $r = runbook($config, 'run', '-i', "mem:$list", '--param', $case->[0], $script);
        is($r->{exit}, 2, $case->[0]);
        like($r->{err}, $case->[1], 'and why');
    }
    is(runbook($config, 'list')->{out}, "no runs\n", 'nothing was begun');
};

subtest 'approvers, a changed script, cancel' => sub {
    my $config = new_state();
    my $copy = write_file("$dir/copy.lua", do { local (@ARGV, $/) = $script; <> });
    is(runbook($config, 'run', '-i', "mem:$list", '--param', 'user=nobody-else', $copy)->{exit}, 0, 'asks');
    like(runbook($config, 'answer', 1, 'go', 'yes')->{err}, qr/is none of the approvers/, 'somebody else');
    is(runbook($config, 'cancel', 1, '--reason', 'enough')->{exit}, 0, 'cancelled');
    is(show($config, 1)->{status}, 'cancelled', 'for good');
    is(runbook($config, 'answer', 1, 'go', 'yes')->{exit}, 5, 'no answer any more');
    is(runbook($config, 'run', '-i', "mem:$list", $copy)->{exit}, 0, 'its key is free');
    is(runbook($config, 'answer', 2, 'go', 'no')->{exit}, 0, 'answered');
    write_file($copy, do { local (@ARGV, $/) = $script; <> } . "print('more')\n");
    my $r = runbook($config, 'resume', 2);
    is($r->{exit}, 5, 'another script than it was');
    like($r->{err}, qr/has changed since it began/, 'is told');
    $r = runbook($config, 'resume', 2, '--accept-change');
    is($r->{exit}, 0, 'unless that is meant');
    like($r->{out}, qr/^more$/m, 'it is the new one');
};

subtest 'mistakes of an author' => sub {
    my $config = new_state();
    my $body = sub { write_file("$dir/bad.lua", qq{das.runbook{ name = "bad" }\n$_[0]\n}) };
    for my $case (
        [ 'das.step("a", function() end) das.step("a", function() end)', qr/there is a step "a" already/ ],
        [ 'das.step("a", function() return { f = print } end)', qr/step "a": result\.f: a function has no JSON form/ ],
        [ 'das.step("a", function() das.step("b", function() end) end)', qr/"b" is inside of step "a"/ ],
        [ 'das.step("a", function() return 1, 2 end)', qr/more than one value/ ],
        [ 'das.preview{ all = true }:plan{ reason = "x" }:apply()', qr/plan:apply: outside of a step/ ],
        [ 'das.step("a", function() das.sleep("2m") end)', qr/inside of a step at most 60 s/ ],
        [ 'das.step("a", function() error("no") end)', qr/bad\.lua:2: no/ ],
        [ 'das.step("a", function() end, { timeout = "2h" })', qr/limits\.wall/ ],
        [ 'das.step("a", function() end, { retrys = 2 })', qr/did you mean "retry"/ ],
        [ 'das.step.ask{ question = "q", choices = {} }', qr/choices: expected a list of 1 to 20/ ],
        [ 'das.step.ask{ question = "q", choices = {"a"}, default = "b" }', qr/default: expected one of the choices/ ],
    ) {
        my $r = runbook($config, 'run', '-i', "mem:$list", $body->($case->[0]));
        is($r->{exit}, 1, $case->[0]);
        like($r->{err}, $case->[1], 'and why');
    }
    my $r = das('run', '-i', "mem:$list", $script);
    like($r->{err}, qr/this is a runbook: das runbook run /, 'das run says what it is');
    $r = runbook($config, 'run', '-i', "mem:$list", write_file("$dir/none.lua", 'print(1)'));
    is($r->{exit}, 2, 'das runbook run wants a runbook');
};

# --- long waits -------------------------------------------------------------------------------------
subtest 'a wait of an hour needs no process' => sub {
    my $config = new_state();
    my $r = runbook($config, 'run', '-i', "mem:$list", write_file("$dir/sleep.lua", <<'LUA'));
das.runbook{ name = "sleep" }
das.step("before", function() print("RUN before") end)
das.sleep("1h")
das.step("after", function() end)
LUA
    is($r->{exit}, 0, 'it waits');
    like($r->{err}, qr/run 1 waits until \d{4}-.*goes on with it then, or das runbook resume 1/s, 'and says until when');
    my ($sleep) = grep { $_->{kind} eq 'sleep' } @{ show($config, 1)->{steps} };
    is($sleep->{wake_ms} - $sleep->{begun_ms}, 3600000, 'for an hour');
    is(runbook($config, 'resume', 1)->{exit}, 5, 'it does not go on before');
    is(runbook($config, 'cancel', 1)->{exit}, 0, 'cancelled');
};

# --- who it is ------------------------------------------------------------------------------------
subtest 'people' => sub {
    plan skip_all => 'only root can be somebody else' if $> != 0;
    my %uid = map { my @u = getpwnam($_); @u ? ($_ => $u[2]) : () } qw(daemon bin games);
    plan skip_all => 'no other users here' if keys %uid < 3;
    my $config = new_state();
    my $roles = join ', ', map { qq{"r$_"} } 1 .. 40;
    write_file($config, do { local (@ARGV, $/) = $config; <> } =~
        s/^return \{/return { people = { daemon = { os = "games", roles = { $roles } }, bob = { os = "bin", roles = { "dba" } }, carl = { roles = { "dba" }, key = "K" } },/r);
    my $as = sub { my ($who, @args) = @_; return runbook($config, $args[0], { env => { SUDO_UID => $uid{$who} } }, @args[ 1 .. $#args ]) };

    runbook($config, 'run', '-i', "mem:$list", '--param', 'user=daemon', $script);
    my $r = $as->('daemon', 'answer', 1, 'go', 'yes');
    is($r->{exit}, 5, 'a user who is called like a person is not that person');
    like($r->{err}, qr/user daemon is none of the approvers/, 'and is told so');
    is($as->('games', 'answer', 1, 'go', 'yes')->{exit}, 0, 'who das.lua says is that person may answer');
    is(show($config, 1)->{steps}[1]{who}, 'daemon', 'by the name of the person');
    $as->('daemon', 'cancel', 1);
    runbook($config, 'run', '-i', "mem:$list", '--param', 'user=role:r40', $script);
    is($as->('games', 'answer', 2, 'go', 'yes')->{exit}, 0, 'the fortieth role counts like the first');

    my $kill = write_file("$dir/request.lua", <<'LUA');
das.runbook{ name = "request" }
das.step.ask{ name = "go", question = "Go?", choices = { "yes" } }
print(das.step("request", function()
  return assert(das.preview{ command = "Query", time = 10 }:plan{}:request_approval{ approvers = { roles = { "dba" } } }).id
end))
LUA
    is($as->('bin', 'run', '--apply', '-i', "mem:$list", $kill)->{exit}, 0, 'bob begins one that asks for a kill later');
    runbook($config, 'answer', 3, 'go', 'yes');
    $r = runbook($config, 'resume', 3);
    is($r->{exit}, 0, 'somebody else goes on with it') or diag explain $r;
    chomp(my $id = $r->{out});
    $r = das({ env => { DAS_CONFIG => $config, SUDO_UID => $uid{bin} } }, 'approve', $id);
    is($r->{exit}, 5, 'bob asked for it, and cannot say yes to it');
    like($r->{err}, qr/bob asked for it: somebody else has to decide/, 'and is told so');
};

# --- das serve ------------------------------------------------------------------------------------
subtest 'das serve goes on with what was answered, and with what was interrupted' => sub {
    my $s = Serve->new(instances => { orders => "mem:$list" });
    my $run = sub { runbook($s->{config}, @_) };
    my $state = sub { show($s->{config}, $_[0])->{status} };
    is($run->('run', '-i', 'orders', $script)->{exit}, 0, 'one that asks');
    is($run->('answer', 1, 'go', 'yes')->{exit}, 0, 'and is answered');
    ok(wait_for(sub { $state->(1) eq 'done' }), 'goes on by itself');
    my @stretches = @{ show($s->{config}, 1)->{stretches} };
    is($stretches[1]{who}, 'das serve', 'in das serve');
    SKIP: {
        skip 'no build with faults', 1 unless -x $faults;
        my $r = $run->('run', { program => $faults, env => { DAS_FAULT => 'step-begun' } }, '-i', 'orders', $script);
        is($r->{exit}, 'signal 9', 'one that dies in its first step');
        ok(wait_for(sub { $state->(2) eq 'waiting' }), 'gets to its question');
    }
    my $changed = write_file("$dir/changed.lua", do { local (@ARGV, $/) = $script; <> });
    $run->('run', '-i', 'orders', '--param', 'limit=7', $changed) if $run->('cancel', 2);
    my ($last) = map { JSON::PP->new->decode($_)->{id} } split /\n/, $run->('list', '--open', '-o', 'json')->{out};
    write_file($changed, do { local (@ARGV, $/) = $script; <> } . "\n");
    $run->('answer', $last, 'go', 'yes');
    ok(wait_for(sub { $s->log =~ /runbook $last: .*has changed since it began/ }), 'a changed script is not carried on, and that is told');
    is($state->($last), 'waiting', 'it stays where it is');
    is($s->stop->{exit}, 0, "das serve ends");
};

# --- it dies: tests/e2e/runbook_death.t has the rest -------------------------------------------------
# Carries the run on, answering when it asks, until it has ended or somebody has to decide.
sub finish {
    my ($config, $id, $answer) = @_;
    my $out = '';
    for (1 .. 10) {
        my $now = show($config, $id);
        return ($now, $out) if $now->{status} =~ /done|failed|cancelled|unknown/;
        my $last = $now->{steps}[-1];
        runbook($config, 'answer', $id, $last->{n}, $answer)
            if $now->{status} eq 'waiting' && $last && $last->{status} eq 'waiting';
        $out .= runbook($config, 'resume', $id)->{out};
    }
    return (show($config, $id), $out);
}

sub finished { return map { ($_->{name} => $_) } grep { $_->{status} eq 'done' } @{ $_[0]{steps} } }

# What was finished before is as it was, and the later output does not have it run again.
sub nothing_twice {
    my ($before, $after, $out) = @_;
    my %was = finished($before);
    my %is = finished($after);
    for my $name (sort keys %was) {
        is_deeply($is{$name}, $was{$name}, "\"$name\" is as it was");
        unlike($out, qr/^RUN \Q$name\E$/m, "\"$name\" did not run again");
    }
}

my $sanitized = $build =~ /san-/;

# --- with a server ------------------------------------------------------------------------------------
my @deadly = (
    # place, is the outcome of the acting step unknown afterwards?
    [ 'step-begun:2', 0 ], [ 'step-before-acts', 0 ], [ 'step-acts', 1 ], [ 'after-intent', 1 ],
    [ 'before-kill', 1 ], [ 'after-kill', 1 ], [ 'after-kill:2', 1 ], [ 'before-outcome', 1 ],
    [ 'after-reserve', 1 ], [ 'before-apply-record', 1 ], [ 'before-intent', 1 ], [ 'after-outcome', 1 ],
    [ 'after-ramp-step', 1 ], [ 'step-before-note', 1 ], [ 'step-noted', 1 ], [ 'step-before-result:2', 1 ], [ 'step-before-commit:2', 1 ],
    [ 'step-ended:2', 0 ], [ 'step-ended:3', 0 ], [ 'step-waits', 0 ],
);
my %deadly = map { $_->[0] => 1 } @deadly;
for my $file (map { "core/plan/$_.c" } qw(apply fire await)) {
    open my $in, '<', $file or die "$file: $!";
    # one looks a second time where the first took long
    is_deeply([ grep { !$deadly{$_} && $_ ne 'before-look-again' } map { /DAS_FAULT\("([\w-]+)"\)/ ? $1 : () } <$in> ], [], "all places of $file");
}
@deadly = @deadly[ 2, 5, 17 ] if $sanitized;

SKIP: {
    skip 'no build with faults', 1 unless -x $faults;
    skip MariaDB::missing(), 1 if MariaDB::missing();
    my $db = MariaDB->new(args => [ '--general-log=1', '--general-log-file=general.log' ]);
    $db->sql(<<'SQL');
CREATE DATABASE shop; CREATE TABLE shop.t (a INT PRIMARY KEY, b INT) ENGINE=InnoDB;
INSERT INTO shop.t VALUES (1, 0); CREATE USER app@localhost; GRANT ALL ON shop.* TO app@localhost;
CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;
SQL
    my $log = "$db->{dir}/data/general.log";
    my $url = $db->url('das');
    my @run = ('-i', $url, '--apply', map({ ('--param', $_) } qw(user=app limit=1 idle=1s wait=0)),
        getcwd() . '/scripts/runbooks/connection_exhaustion.lua');

    my $kills = sub {    # by session id, from a place in the log on
        my ($from) = @_;
        my %count;
        open my $in, '<', $log or die "$log: $!\n";
        seek $in, $from, 0;
        /\bKILL CONNECTION (\d+)/ and $count{$1}++ while <$in>;
        return \%count;
    };

    for my $case (@deadly) {
        my ($place, $unknown) = @$case;
        subtest "connection exhaustion, dies at $place" => sub {
            my $config = new_state();
            my $herd = Herd->new($db->{socket});
            my @idle = map { $herd->add('app', 'shop', '') } 1 .. 3;
            my $open = $herd->add('app', 'shop', 'START TRANSACTION');
            $herd->say(4, 'UPDATE t SET b = b + 1 WHERE a = 1');
            is($herd->say(4, ''), 'ok', 'three idle connections and a transaction');
            my $ids = join ',', @idle, $open;
            ok(wait_for(sub { sleep 0.15; $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST p LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID WHERE p.ID IN ($ids) AND p.COMMAND = 'Sleep' AND p.TIME >= 1 AND (p.ID <> $open OR t.trx_id IS NOT NULL)") == 4 }), 'long enough');
            my $from = -s $log;
            my $r = runbook($config, 'run', { program => $faults, env => { DAS_FAULT => $place } }, @run);
            is($r->{exit}, 'signal 9', 'it died') or diag($r->{err});
            my $before = show($config, 1);
            is($before->{status}, $place eq 'step-waits' ? 'waiting' : 'interrupted', 'which can be seen');
            my ($after, $out) = finish($config, 1, 'kill');
            is($after->{status} eq 'unknown' ? 1 : 0, $unknown, $unknown ? 'nobody knows what became of a step' : 'it is known what became of its steps');
            if ($unknown) {
                my ($step) = grep { $_->{status} eq 'unknown' } @{ $after->{steps} };
                is($step->{name}, 'end idle connections', 'of which one');
                is(runbook($config, 'resume', 1)->{exit}, 5, 'it does not go on by itself');
                my $killed = keys %{ $kills->($from) };
                is(runbook($config, 'resolve', 1, $step->{name}, 'done', '--reason', 'looked at the server',
                    '--result', qq({"victims":3,"killed":$killed}))->{exit}, 0, 'a person decides');
                ($after, $out) = finish($config, 1, 'kill');
            }
            is($after->{status}, 'done', 'then it is done') or diag(JSON::PP->new->pretty->canonical->encode($after));
            nothing_twice($before, $after, $out);
            my $count = $kills->($from);
            is_deeply([ grep { $count->{$_} > 1 } keys %$count ], [], 'nobody was killed twice');
            is($count->{$open}, 1, 'the transaction was, once somebody had said so');
            is(scalar(grep { $count->{$_} } @idle), 3, 'and the idle ones') unless $unknown;
            is(das({ env => { DAS_CONFIG => $config } }, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
        };
    }
}
done_testing();
