#!/usr/bin/perl
# long_schedule.t - policies of a das serve over days, on a clock that the test moves: cron by the clock of Berlin over both
# changes of a year, times that pass while nobody is there, and how long an instance that fails is left alone.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Clock;
use JSON::PP;
use Test::More;
use Time::Local qw(timegm);
use Das;
use Serve;
use WebServer;

# Each run asks this server, with what time it is; "bad/POLICY/INSTANCE" is a file while its runs fail.
my $dir = File::Temp::tempdir('das-long-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $web = WebServer->new(handler => sub {
    my ($policy, $instance, $ms) = $_[0]{path} =~ m{^/(\w+)/(\w+)/(\d+)$} or return [ 404, {} ];
    open my $out, '>>', "$dir/ran.$policy.$instance" or die;
    syswrite $out, "$ms\n";
    return [ -e "$dir/bad.$policy.$instance" ? 503 : 200, {}, 'ok' ];
});
sub bad { my ($name, $is) = @_; if ($is) { open my $out, '>', "$dir/bad.$name" or die } else { unlink "$dir/bad.$name" } }

# When it ran, Unix seconds.
sub ran { my ($policy, $instance) = @_; open my $in, '<', "$dir/ran.$policy.$instance" or return; return map { $_ / 1000 } <$in> }

my $s = Serve->new(start => 0, instances => { map { $_ => 'mem:tests/samples/recording.jsonl' } 'one', 'two' });
open my $out, '>', "$s->{dir}/tick.lua" or die;
print $out <<"LUA";
local answer = assert(das.http.get(("http://127.0.0.1:$web->{port}/%s/%s/%d"):format(das.args[1], das.instances()[1].name, das.time.now_ms())))
if answer.status ~= 200 then error("it does not work") end
LUA
close $out;

sub policies {
    my (%entries) = @_;
    my $list = join ",\n", map { qq({ script = "tick.lua", name = "$_", args = { "$_" }, $entries{$_} }) } sort keys %entries;
    $s->write_config(more => "scripts = { ['*'] = { grants = { 'preview', 'instance:*', 'http:127.0.0.1' } } }, policies = { $list }");
}
my $beat = 'instances = { "one" }, every = "1s"';

# When it ran since a moment.
sub since { my ($policy, $from, $instance) = @_; return grep { $_ >= $from } ran($policy, $instance // 'one') }
sub comes { my ($policy, $from, $instance) = @_; return wait_for(sub { since($policy, $from, $instance) > 0 }, 30) }

# Two runs of a policy that is due each second: whoever was due before now has begun.
sub all_is_looked_at {
    for (1 .. 2) {
        my $from = Clock::now_ms() / 1000;
        Clock::forward(1);
        comes(beat => $from) or die "the schedule stands still\n";
    }
}

sub utc { my ($year, $month, $day, $hour, $minute) = @_; return timegm(0, $minute, $hour, $day, $month - 1, $year) }
sub text { my ($at) = @_; return POSIX::strftime('%Y-%m-%d %H:%M', CORE::gmtime($at)) . ' UTC' }

# Not before that moment, and then.
sub strikes {
    my ($policy, $at, $why) = @_;
    all_is_looked_at();
    my $from = Clock::now_ms() / 1000;
    Clock::to($at - 5);
    all_is_looked_at();
    is_deeply([ grep { $_ < $at } since($policy, $from) ], [], "$policy: nothing before " . text($at));
    Clock::to($at);
    return ok(comes($policy, $at), "and then: $why");
}
sub minutes { my ($policy, $from) = @_; return [ map { text(int($_ / 60) * 60) } since($policy, $from) ] }

# --- a day without 2:30 ------------------------------------------------------------------------------------------------------
Clock::start_at(2027, 3, 27, 23, 46);
policies(
    beat => $beat,
    berlin => 'instances = { "one" }, cron = "30 2 * * *", tz = "Europe/Berlin"',
    quarter => 'instances = { "one" }, cron = "*/15 * * * *", tz = "Europe/Berlin"',
    utc => 'instances = { "one" }, cron = "30 2 * * *"',
    work => 'instances = { "one" }, cron = "0 12 * * mon-fri", tz = "Europe/Berlin"',
);
$s->start;
subtest 'the night in which the clock jumps from two to three' => sub {
    strikes(quarter => utc(2027, 3, 28, 0, 0) + $_ * 900, 'each quarter of an hour that passes') for 0 .. 3;
    strikes(berlin => utc(2027, 3, 28, 1, 0), 'the time that is jumped over is the moment of the jump');
    strikes(quarter => utc(2027, 3, 28, 1, 15) + $_ * 900, 'also behind the jump') for 0 .. 3;
    strikes(utc => utc(2027, 3, 28, 2, 30), 'who lives by another clock knows of nothing');
    strikes(berlin => utc(2027, 3, 29, 0, 30), 'the next day it is at half past two again');
    strikes(work => utc(2027, 3, 29, 10, 0), 'Monday noon in summer');
    my $night = utc(2027, 3, 28, 0, 0);
    is_deeply(minutes('berlin', $night), [ '2027-03-28 01:00 UTC', '2027-03-29 00:30 UTC' ], 'once each day');
    is_deeply([ @{ minutes('quarter', $night) }[ 0 .. 8 ] ], [ map { text($night + $_ * 900) } 0 .. 8 ], 'no quarter is left out, and none made up');
    is_deeply(minutes('work', 0), ['2027-03-29 10:00 UTC'], 'none on a Sunday');
};

# --- nobody is there -----------------------------------------------------------------------------------------------------------
subtest 'half a year' => sub {
    is($s->stop->{exit}, 0, 'das serve ends');
    my $n = ran('berlin', 'one');
    Clock::to(utc(2027, 10, 30, 22, 0));
    $s->start;
    all_is_looked_at();
    is(scalar(ran('berlin', 'one')), $n, 'what would have run meanwhile is not made up for');
};

# --- a day with two of them ----------------------------------------------------------------------------------------------------
subtest 'the night in which the clock shows 2:30 twice' => sub {
    my $night = utc(2027, 10, 31, 0, 0);
    strikes(berlin => $night + 1800, 'the first half past two');
    strikes(quarter => $night + 2700 + $_ * 900, 'each quarter of an hour that passes') for 0 .. 4;
    strikes(berlin => utc(2027, 11, 1, 1, 30), 'the next day, by winter time');
    is_deeply(minutes('berlin', $night), [ '2027-10-31 00:30 UTC', '2027-11-01 01:30 UTC' ], 'not at the second half past two');
    is_deeply([ @{ minutes('quarter', $night + 2700) }[ 0 .. 4 ] ], [ map { text($night + 2700 + $_ * 900) } 0 .. 4 ], 'quarters go on through both hours');
    strikes(work => utc(2027, 11, 1, 11, 0), 'Monday noon in winter');
};

# --- every, with one that fails ---------------------------------------------------------------------------------------------------
subtest 'one of two instances fails' => sub {
    $s->stop;
    policies(beat => $beat, flaky => 'instances = { "one", "two" }, every = "10s", jitter = "0s", backoff = "5m"');
    $s->start;
    my $next = sub { my $at = (int(Clock::now_ms() / 10000) + 1) * 10; Clock::to($at); return $at };
    my $from = $next->();
    ok(comes(flaky => $from, $_), "it runs on $_") for qw(one two);

    # What das status knows of it once that run is over: ended, next, and the tick that it was about; failures.
    my $unix = sub { my @t = $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z$/ or die $_[0]; return timegm(0, @t[ 4, 3, 2 ], $t[1] - 1, $t[0]) + $t[5] };
    my $status = sub {
        my ($turn) = grep { $_->{policy} eq 'flaky' && $_->{instance} eq 'one' } @{ decode_json(das($s->opt, 'status', '-o', 'json')->{out})->{schedule}{policies} || [] };
        return if !$turn || !$turn->{last} || !$turn->{next} || $turn->{running};
        my $began = $unix->($turn->{last});
        return { failures => $turn->{failures}, error => $turn->{error}, began => $began, tick => int($began - $turn->{late_ms} / 1000 + 0.5), next => $unix->($turn->{next}) };
    };
    my $after = sub {
        my ($from) = @_;
        my $turn;
        my $there = sub { $turn = $status->(); return $turn && $turn->{began} >= $from };
        return $turn if $there->();
        Clock::forward(3);    # it is written every 2 s
        wait_for($there, 30) or die "das status stands still\n";
        return $turn;
    };
    bad('flaky.one', 1);
    my ($turn, @gaps);
    for (1 .. 20) {
        $from = $turn ? $turn->{next} : $next->();
        if ($turn) {
            Clock::to($from - 5);
            all_is_looked_at();
            is_deeply([ grep { $_ >= $turn->{tick} + 10 && $_ < $from } since(flaky => $turn->{tick}) ], [], "left alone: $turn->{failures} in a row have failed");
            Clock::to($from);
        }
        ok(comes(flaky => $from), 'then it is tried');
        ok(comes(flaky => $from - 10, 'two'), 'the other one has its own time');
        $turn = $after->($from);
        $gaps[ $turn->{failures} ] = $turn->{next} - $turn->{tick};
        last if $turn->{failures} >= 7;
    }
    is_deeply([ @gaps[ 1 .. 7 ] ], [ 10, 20, 40, 80, 160, 300, 300 ], 'twice as long each time, up to five minutes');
    bad('flaky.one', 0);
    Clock::to($turn->{next});
    ok(comes(flaky => $turn->{next}), 'it is well again');
    $turn = $after->($turn->{next});
    is($turn->{failures}, 0, 'as das status knows');
    is($turn->{error}, undef, 'without an error');
    is($turn->{next} - $turn->{tick}, 10, 'and has its ten seconds');
    ok($s->log =~ /it does not work/ && $s->log =~ /it works again/, 'and the log');
};
is($s->stop->{exit}, 0, 'das serve ends');
done_testing;
