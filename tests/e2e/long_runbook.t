#!/usr/bin/perl
# long_runbook.t - runbooks that take hours and days, on a clock that the test moves under a das serve that runs, ends and is
# killed: sleeps, questions that are answered late or not at all, the run's own time, and one that cannot be carried on.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Clock;
use JSON::PP;
use Test::More;
use Das;
use Serve;

my $HOUR = 3600;
my $DAY = 24 * $HOUR;
my $s = Serve->new(instances => { orders => 'mem:tests/samples/recording.jsonl' });

sub write_file { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!"; print $out $text; close $out; return $path }
sub book { my ($name, $lua) = @_; return write_file("$s->{dir}/$name.lua", $lua) }
sub runbook { return das($s->opt, 'runbook', @_) }
sub begin {
    my ($script) = @_;
    my $r = runbook('run', '-i', 'orders', '-o', 'json', $script);
    my ($id) = map { $_->{id} } grep { $_->{script} eq $script } map { decode_json($_) } split /\n/, runbook('list', '-o', 'json')->{out};
    ok($id, "begun: $script") or BAIL_OUT($r->{err});
    return $id;
}
sub show { return decode_json(runbook('show', $_[0], '-o', 'json')->{out}) }
sub status_is { my ($id, $status, $what) = @_; return ok(wait_for(sub { show($id)->{status} eq $status }, 30), $what) || diag explain show($id) }
sub step { my ($id, $name) = @_; return (grep { $_->{name} eq $name } @{ show($id)->{steps} })[0] }

# A run that das serve carries on five minutes from now (das runbook run itself stays for less than that): whoever waits still
# when it is done, was looked at and is not due.
my $beat = 0;
sub all_is_looked_at {
    my ($what) = @_;
    my $script = book('beat' . ++$beat, qq{das.runbook{ name = "beat $beat" } das.sleep("301s") das.step("seen", function() return das.time.now() end)\n});
    my $id = begin($script);
    Clock::forward(302);
    status_is($id, 'done', $what);
}

# --- a sleep over two restarts -------------------------------------------------------------------------------------
subtest 'six hours of sleep' => sub {
    my $id = begin(book('sleep', <<'LUA'));
das.runbook{ name = "sleep", timeout = "2d" }
local a = das.step("before", function() return das.time.now() end)
das.sleep("6h")
das.step("after", function() return das.time.now() - a end)
LUA
    status_is($id, 'waiting', 'it sleeps');
    Clock::forward(2 * $HOUR);
    is($s->stop->{exit}, 0, 'das serve ends after two hours');
    $s->start;
    Clock::forward(2 * $HOUR);
    is($s->crash->{exit}, 'signal 9', 'and is killed after four');
    $s->start;
    Clock::to(show($id)->{steps}[1]{wake_ms} / 1000 - 360);
    all_is_looked_at('another one goes on a minute before the sixth is over');
    is(show($id)->{status}, 'waiting', 'this one still sleeps');
    is_deeply([ map { $_->{name} } @{ show($id)->{steps} } ], [ 'before', 'sleep 1' ], 'and has gone no further');
    Clock::forward(60);
    status_is($id, 'done', 'then it goes on by itself');
    cmp_ok(step($id, 'after')->{result}, '>=', 6 * $HOUR, 'six hours later');
    cmp_ok(step($id, 'after')->{result}, '<', 6 * $HOUR + 300, 'and not seven');
    is(step($id, 'before')->{attempts}, 1, 'its first step ran once');
};

subtest 'a sleep that ends while nobody is there' => sub {
    my $id = begin(book('night', qq{das.runbook{ name = "night", timeout = "9d" } das.sleep("8h") das.step("after", function() return das.time.now() end)\n}));
    $s->stop;
    Clock::forward(3 * $DAY);
    $s->start;
    status_is($id, 'done', 'is over when somebody is');
};

# --- questions -----------------------------------------------------------------------------------------------------
my $ask = sub {
    my ($name, $default) = @_;
    return book($name, <<"LUA");
das.runbook{ name = "$name", timeout = "30d" }
das.step("look", function() return das.time.now() end)
local choice, who, code = das.step.ask{ name = "go", question = "Go on?", choices = { "yes", "no" }, $default ttl = "7d" }
das.step("end", function() return { choice = choice or "none", who = who or "nobody", code = code or "none" } end)
LUA
};

subtest 'an answer after two days' => sub {
    my $id = begin($ask->('days', 'default = "no",'));
    status_is($id, 'waiting', 'it asks');
    Clock::forward($DAY);
    $s->crash;
    $s->start;
    Clock::forward($DAY);
    all_is_looked_at('another run goes on after two days');
    is(show($id)->{status}, 'waiting', 'this one waits for its answer');
    is(runbook('answer', $id, 'go', 'yes', '--reason', 'back from the weekend')->{exit}, 0, 'which comes now');
    status_is($id, 'done', 'it goes on');
    my $end = step($id, 'end')->{result};
    is($end->{choice}, 'yes', 'with what was said');
    isnt($end->{who}, 'nobody', 'by whom');
    my $go = step($id, 'go');
    cmp_ok($go->{ended_ms} - $go->{begun_ms}, '>=', 2 * $DAY * 1000, 'two days after it was asked');
    is(runbook('answer', $id, 'go', 'no')->{exit}, 5, 'and once');
};

for my $case ([ 'default', 'default = "no",', { choice => 'no', who => 'nobody', code => 'none' } ],
    [ 'expired', '', { choice => 'none', who => 'nobody answered in time', code => 'expired' } ]) {
    my ($name, $default, $want) = @$case;
    subtest "nobody answers for a week: $name" => sub {
        my $id = begin($ask->($name, $default));
        status_is($id, 'waiting', 'it asks');
        Clock::to(step($id, 'go')->{wake_ms} / 1000 - 360);
        all_is_looked_at('another run goes on a minute before the week is over');
        is(show($id)->{status}, 'waiting', 'this one still waits');
        Clock::forward(60);
        is(runbook('answer', $id, 'go', 'yes')->{exit}, 5, 'an answer is too late');
        status_is($id, 'done', 'it goes on without');
        is_deeply(step($id, 'end')->{result}, $want, "with what is then: $name");
    };
}

# --- the run's own time --------------------------------------------------------------------------------------------
subtest 'a run that is too long' => sub {
    my $id = begin(book('long', <<'LUA'));
das.runbook{ name = "long", timeout = "1d" }
das.step("before", function() end)
das.sleep("3d")
das.step("after", function() end)
LUA
    status_is($id, 'waiting', 'sleeps for longer than it may take');
    Clock::forward($DAY + 60);
    status_is($id, 'failed', 'and ends when its day is over');
    like(show($id)->{error}, qr/longer than its timeout/, 'which it says');
    ok(!step($id, 'after'), 'nothing more was done');
};

# --- one that cannot be carried on -----------------------------------------------------------------------------------
subtest 'a script that comes back' => sub {
    my $text = qq{das.runbook{ name = "back", timeout = "9d" } das.sleep("1h") das.step("after", function() return "here" end)\n};
    my $script = book('back', $text);
    my $id = begin($script);
    unlink $script;
    Clock::forward($HOUR);
    ok(wait_for(sub { $s->log =~ /runbook $id: .*back\.lua/ }, 30), 'a script that is gone is told');
    is(show($id)->{status}, 'waiting', 'the run stays as it is');
    book('back', $text);
    Clock::forward(61);
    status_is($id, 'done', 'and is tried again a minute later');
};

is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
is($s->stop->{exit}, 0, 'das serve ends');
done_testing;
