#!/usr/bin/perl
# long_notify.t - messages over hours and days, sent by a das serve on a clock that the test moves: digests, tries that come
# further and further apart while the channel rests, what a platform asks for, messages that get too old, keys that are
# forgotten, and what a sender held that was killed. The other side checks signatures and their times by the same clock.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Clock;
use Digest::SHA qw(hmac_sha256);
use Fcntl qw(:flock);
use JSON::PP;
use MIME::Base64;
use Test::More;
use Das;
use Serve;
use WebServer;

my ($MINUTE, $HOUR, $DAY) = (60, 3600, 86400);
my $key = 'C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

# --- the other side ----------------------------------------------------------------------------------------------------
my $dir = File::Temp::tempdir('das-long-XXXXXX', TMPDIR => 1, CLEANUP => 1);
sub put { my ($name, $text) = @_; open my $out, '>', "$dir/$name" or die; chmod 0600, $out; print $out $text; close $out }
sub slurp { my ($name) = @_; open my $in, '<', "$dir/$name" or return ''; local $/; return scalar <$in> }

# While there is a file with the name of the channel, it says what is answered: a status, and Retry-After.
my $web = WebServer->new(handler => sub {
    my ($r, $client) = @_;
    my ($channel) = $r->{path} =~ m{^/(\w+)$} or return [ 404, {} ];
    my ($id, $stamp, $sign) = map { $r->{headers}{"webhook-$_"} // '' } qw(id timestamp signature);
    my $good = $sign eq 'v1,' . encode_base64(hmac_sha256("$id.$stamp.$r->{body}", decode_base64($key)), '') && $stamp <= time;
    my ($status, $after) = split / /, slurp("is.$channel") || '204';
    $status = 401 if !$good;
    open my $log, '>>', "$dir/got" or die;
    flock $log, LOCK_EX;
    print $log encode_json({ channel => $channel, id => $id, status => $status, at_ms => Clock::now_ms(), stamp => $stamp + 0, data => decode_json($r->{body})->{data} }), "\n";
    close $log;
    if ($status eq 'hang') { sysread $client, my $gone, 1; return }
    return [ $status, defined $after ? { 'Retry-After' => $after } : {}, '' ];
});
sub came { my ($channel) = @_; return grep { $_->{channel} eq $channel } map { decode_json($_) } split /\n/, slurp('got') }
sub answers { my ($channel, $what) = @_; $what ? put("is.$channel", $what) : unlink "$dir/is.$channel" }

# --- this side ---------------------------------------------------------------------------------------------------------
my %channels = (busy => 'digest = "10m"', sick => 'expire = "3d", tries = 1000', asked => '', old => 'expire = "2h", tries = 1000',
    thrice => 'tries = 3', said => 'dedup = "1h"', slow => '');
put('key', "whsec_$key");
put("url.$_", "http://127.0.0.1:$web->{port}/$_") for keys %channels;
my $s = Serve->new(start => 0, instances => { orders => 'mem:tests/samples/recording.jsonl' }, more => 'channels = { ' . join(', ', map {
    "$_ = { kind = 'webhook', url = { file = '$dir/url.$_' }, secret = { file = '$dir/key' }, insecure = true, rate = 6000, $channels{$_} }"
} sort keys %channels) . ' }');
$s->start;

sub notify { return das($s->opt, 'notify', @_) }
# A round over all channels that is over when this returns: what did not come was not due.
sub round { my $r = notify('--send'); die "$r->{exit}: $r->{err}" if $r->{exit} !~ /^[014]$/; return }
sub queue { return @{ decode_json(notify('--queue', '-o', 'json')->{out}) } }
# Those that wait, once nobody is busy with one.
sub waiting {
    my ($channel) = @_;
    my @rows;
    wait_for(sub { @rows = grep { $_->{channel} eq $channel && $_->{state} =~ /^(?:waiting|sending)$/ } queue(); !grep { $_->{state} eq 'sending' } @rows }, 30);
    @rows = reverse @rows;
    return @rows;
}
sub came_is { my ($channel, $n, $what) = @_; return ok(wait_for(sub { came($channel) >= $n }, 30) && came($channel) == $n, $what) || diag explain [ came($channel) ] }

# --- digests -----------------------------------------------------------------------------------------------------------
subtest 'a message a minute, for an hour' => sub {
    for my $minute (0 .. 59) {
        notify('--severity', $minute % 20 ? 'warning' : 'error', 'busy', $minute % 3 ? 'slow statements' : 'waiting locks');
        notify('--severity', 'critical', 'busy', 'the disk is full') if $minute == 34;
        waiting('busy');    # the clock does not move while one is on its way: that would be a long way
        Clock::forward($MINUTE);
        round();
        waiting('busy');
    }
    Clock::forward(10 * $MINUTE);
    ok(wait_for(sub { !grep { $_->{state} ne 'sent' } queue() }, 30), 'all are sent in the end') or diag explain [ queue() ];
    my @all = came('busy');
    my @alone = grep { $_->{data}{text} eq 'the disk is full' } @all;
    is(scalar @alone, 1, 'what is critical comes by itself');
    my @digests = grep { $_->{data}{text} ne 'the disk is full' } @all;
    cmp_ok(scalar @digests, '<=', 7, scalar(@digests) . ' messages of the others in 70 minutes');
    my $count = 0;
    my %lines;
    for my $d (@digests) {
        my ($n) = ($d->{data}{title} // '') =~ /^(\d+) messages since \d{4}-/;
        $count += $n // 1;
        if (!$n) { $lines{ $d->{data}{text} }++; next }
        $lines{$2} += $1 while $d->{data}{text} =~ /^(\d+) \S+ (?:\[\w+\] )?(.*)$/mg;
    }
    is($count, 60, 'that count 60');
    is_deeply(\%lines, { 'slow statements' => 40, 'waiting locks' => 20 }, 'and what they were') or diag explain \@digests;
    my @gaps = map { $digests[$_]{at_ms} - $digests[ $_ - 1 ]{at_ms} } 1 .. $#digests;
    is_deeply([ grep { $_ < 595 * 1000 } @gaps ], [], 'with ten minutes between each two') or diag "@gaps";
    cmp_ok($digests[0]{at_ms}, '<', $alone[0]{at_ms}, 'the first at once');
};

# --- tries that fail -----------------------------------------------------------------------------------------------------
subtest 'further and further apart, up to half an hour' => sub {
    answers(sick => 503);
    notify('sick', 'first');
    came_is('sick', 1, 'a message is tried');
    notify('sick', 'second');
    my $n = 1;
    for my $gap (15, 30, 60, 120, 240, 480, 960, 1800, 1800) {
        my $due_ms = (waiting('sick'))[0]{due_ms};
        cmp_ok($due_ms, '>=', (came('sick'))[-1]{at_ms} + $gap * 1000, "after try $n the channel rests for $gap s");
        Clock::to($due_ms / 1000 - 2);
        round();
        is(scalar(came('sick')), $n, 'and until then');
        Clock::to($due_ms / 1000 + 1);
        came_is('sick', ++$n, 'then it is tried again');
    }
    cmp_ok((waiting('sick'))[0]{due_ms}, '<', (came('sick'))[-1]{at_ms} + 3600 * 1000, 'never for longer than half an hour');
    is_deeply([ grep { $_->{data}{text} ne 'first' } came('sick') ], [], 'only the first one');
    my %ids = map { $_->{id} => 1 } came('sick');
    is(scalar(keys %ids), 1, 'under the same id each time');
    answers('sick');
    round();
    is(scalar(came('sick')), $n, 'a channel that is well again still has its rest');
    Clock::forward(1801);
    came_is('sick', $n + 2, 'then all that waits is sent');
    is_deeply([ map { $_->{data}{text} } (came('sick'))[ -2, -1 ] ], [ 'first', 'second' ], 'in its order');
};

for my $case ([ 2700, 2700 ], [ 5400, 3600 ]) {
    my ($asked, $rest) = @$case;
    subtest "the platform asks for $asked s" => sub {
        my $n = came('asked');
        answers(asked => "429 $asked");
        notify('asked', 'later, please');
        came_is('asked', $n + 1, 'when a message comes');
        my $due_ms = (waiting('asked'))[0]{due_ms};
        cmp_ok($due_ms, '>=', (came('asked'))[-1]{at_ms} + $rest * 1000, "it gets $rest s");
        answers('asked');
        Clock::to($due_ms / 1000 - 2);
        round();
        is(scalar(came('asked')), $n + 1, 'in which nothing comes');
        Clock::to($due_ms / 1000 + 1);
        came_is('asked', $n + 2, 'then the message does');
        is(scalar(waiting('asked')), 0, 'once');
    };
}

subtest 'a message that gets too old' => sub {
    answers(old => 500);
    notify('old', 'of this morning');
    came_is('old', 1, 'it is tried');
    my ($row) = waiting('old');
    for my $n (2 .. 7) {
        Clock::to((waiting('old'))[0]{due_ms} / 1000 + 1);
        came_is('old', $n, "try $n");
    }
    waiting('old');
    Clock::to($row->{expires_ms} / 1000 - 2);
    round();
    is((waiting('old'))[0]{id}, $row->{id}, 'two seconds before its time is over it waits');
    Clock::forward(3);
    ok(wait_for(sub { grep { $_->{channel} eq 'old' && $_->{state} eq 'failed' && $_->{code} eq 'expired' } queue() }, 30), 'then it is given up')
        or diag explain [ queue() ];
    my $n = came('old');
    ok(wait_for(sub { $s->log =~ /1 message to old given up: expired, not sent in time/ }, 10), 'and the log has it') or diag $s->log;
    answers('old');
    Clock::forward($HOUR);
    notify('old', 'of now');
    came_is('old', $n + 1, 'the channel is well');
    is((came('old'))[-1]{data}{text}, 'of now', 'and what is old does not come any more');
    ok(wait_for(sub { $s->log =~ /old.*not sent in time/ }, 10), 'the log has it') or diag $s->log;
};

subtest 'a message that was tried often enough' => sub {
    answers(thrice => 500);
    notify('thrice', 'not today');
    for my $n (1 .. 3) { came_is('thrice', $n, "try $n"); waiting('thrice'); Clock::forward(61) }
    ok(wait_for(sub { grep { $_->{channel} eq 'thrice' && $_->{state} eq 'failed' } queue() }, 30), 'is given up');
    Clock::forward($HOUR);
    round();
    is(scalar(came('thrice')), 3, 'for good');
};

# --- keys -----------------------------------------------------------------------------------------------------------------
subtest 'a key is good for an hour' => sub {
    my $say = sub { return notify('--dedup', 'orders', 'said', $_[0])->{err} };
    $say->('once');
    came_is('said', 1, 'said');
    Clock::forward(55 * $MINUTE);
    like($say->('again'), qr/the same was said before/, '55 minutes later it was said before');
    round();
    is(scalar(came('said')), 1, 'and is not sent');
    Clock::forward(6 * $MINUTE);
    $say->('anew');
    came_is('said', 2, 'after an hour it is said anew');
};

# --- a sender that was killed -----------------------------------------------------------------------------------------------
subtest 'what a killed sender held' => sub {
    $s->stop;
    answers(slow => 'hang');
    my $r = das_start($s->opt, 'notify', 'slow', 'on its way');
    ok(wait_for(sub { came('slow') == 1 }, 30), 'a message is on its way');
    kill 'KILL', $r->{pid};
    das_finish($r);
    answers('slow');
    $s->start;
    my $last = (came('slow'))[0]{at_ms} / 1000;
    Clock::to($last + 115);
    round();
    is(scalar(came('slow')), 1, 'for two minutes it is the dead one\'s');
    Clock::to($last + 130);
    came_is('slow', 2, 'then das serve sends it');
    is((came('slow'))[1]{id}, (came('slow'))[0]{id}, 'under the same id');
};

# --- what is kept -------------------------------------------------------------------------------------------------------------
subtest 'what became of it' => sub {
    cmp_ok(scalar(queue()), '>', 10, 'is known');
    Clock::forward(13 * $DAY);
    round();
    cmp_ok(scalar(queue()), '>', 10, 'for two weeks');
    Clock::forward(2 * $DAY);
    round();
    is(scalar(queue()), 0, 'and then forgotten');
};
is($s->stop->{exit}, 0, 'das serve ends');
is(scalar(grep { $_->{status} eq '401' } map { came($_) } keys %channels), 0, 'every signature was good');
is(scalar(grep { $_->{at_ms} / 1000 - $_->{stamp} > 1800 } map { came($_) } keys %channels), 0, 'and made anew for each try');
done_testing;
