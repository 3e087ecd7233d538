#!/usr/bin/perl
# cloud_server_wire.t - the server that stands for Huawei Cloud in other tests: the ways to answer badly,
# what of HTTP it reads, many connections at once, TLS, and that it ends with its test.
use strict;
use warnings;
use Test::More;
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);
use lib 'tests/e2e/lib';
use CloudServer;
use CloudServer::Ask;
use Signature;

my $http = HTTP::Tiny->new(timeout => 60);
my $c = CloudServer->new;
my %row = (user => 'root', host => '100.79.0.247:59474', db => 'cds', state => 'User sleep', command => 'Query', sql_info => 'SELECT sleep(49599)', state_duration => 7);
my @five = map { { %row, id => $_, user => $_ % 2 ? 'odd' : 'even' } } 1 .. 5;
my $preview = of($c, 'auto-flow/preview-session-for-kill-process-task');

# --- as the test says ----------------------------------------------------------------------------------

$c->script(preview => [ { status => 429, body => { error_code => 'APIGW.0308', error_msg => 'The throttling threshold has been reached' }, headers => { 'Retry-After' => 3, Date => undef }, times => 2 } ]);
my $r = preview($c, time => 'what it says does not matter');
is("$r->{status} $r->{data}{error_code}", '429 APIGW.0308', 'as it is told');
is($r->{headers}{'retry-after'}, 3, '... with headers');
is($r->{headers}{date}, undef, '... and without');
is(preview($c)->{status}, 429, '... twice');
is(preview($c)->{status}, 200, '... and then as usual');
$c->sessions(\@five, frozen => 1);
$c->forget;
my $kill = sub { return call($c, 'POST', of($c, 'kill-process'), body => { engine_type => 'mysql', processes => [ map { { id => $_, user => $_ % 2 ? 'odd' : 'even' } } @_ ] }) };
$c->script(kill_process => [ { drop_before => 1 }, { close => 1 }, { reset => 1 }, { status => 503, body => 'busy' }, { status => 504, body => '', perform => 1 } ]);
my @said = map { $kill->($_)->{status} } 1, 2, 3, 4, 4;
is("@said", '599 599 599 503 504', 'no answer, three times, and two bad ones');
is(join(',', map { $_->{id} } $c->killed), '2,3,4', '... of which three were done');
is_deeply([ map { $_->{status} } $c->requests('kill_process') ], [ 0, 0, 0, 503, 504 ], '... as the log says');

sub plain { my ($c) = @_; return "GET /das HTTP/1.1\r\nHost: x\r\n\r\n" }
my $whole = wire($c, plain($c)) =~ s/.*\r\n\r\n//sr;
$c->script(versions => [ { cut => 10 } ]);
my $answer = wire($c, plain($c));
like($answer, qr/Content-Length: @{[ length $whole ]}\r\n/, 'a body that is cut: its length is the whole one\'s');
is($answer =~ s/.*\r\n\r\n//sr, substr($whole, 0, 10), '... its bytes are not');
$c->script(versions => [ { content_length => 5 }, { content_length => 5000 } ]);
$answer = wire($c, plain($c));
like($answer, qr/Content-Length: 5\r\n/, 'a length that is a lie: less');
is(length($answer =~ s/.*\r\n\r\n//sr), length $whole, '... than there is');
$answer = wire($c, plain($c));
like($answer, qr/Content-Length: 5000\r\n/, 'and more');
is($answer =~ s/.*\r\n\r\n//sr, $whole, '... and then it is closed');
$c->script(versions => [ { chunked => 7 }, { chunked => 7, cut => 20 } ]);
is($http->get($c->endpoint . '/das')->{content}, $whole, 'in chunks');
like(wire($c, plain($c)), qr/chunked\r\n.*\r\n6\r\n[^\r]{6}\r\n\z/s, '... that end early');
$c->script(versions => [ { last => 1 } ]);
my $s = connected($c);
for my $n (1, 2) { syswrite $s, plain($c); answer_of($s) if $n == 1 }
is(answer_of($s), '', 'closed after an answer, without a word');
$c->set(per_connection => 2);
$s = connected($c);
is(join(' ', map { syswrite $s, plain($c); length answer_of($s) ? 'answer' : 'closed' } 1 .. 3), 'answer answer closed', 'or after some');
$c->set(per_connection => 0);
$c->script(versions => [ { hang => 1 } ]);
$s = connected($c);
my $before = $c->count('versions');
syswrite $s, plain($c);
$c->wait_for('versions', $before + 1);
is(wire($c, plain($c)) =~ s/.*\r\n\r\n//sr, $whole, 'while one hangs, another is answered');
ok(!IO::Select->new($s)->can_read(0), '... and that one still hangs');
close $s;
$c->script(versions => [ { delay => 0.2 } ]);
my $begin = time;
is(wire($c, plain($c)) =~ s/.*\r\n\r\n//sr, $whole, 'a late answer comes');
cmp_ok(time - $begin, '>=', 0.2, '... late');
$c->script(versions => [ { hold => 1 } ]);
my ($first, $second) = (connected($c), connected($c));
$c->forget;
syswrite $first, plain($c);
$c->wait_for('versions', 1);
syswrite $second, plain($c);
is(answer_of($second) =~ s/.*\r\n\r\n//sr, $whole, 'one that is held does not hold the next');
ok(!IO::Select->new($first)->can_read(0), '... until it is released');
$c->release('versions');
is(answer_of($first) =~ s/.*\r\n\r\n//sr, $whole, '... and then comes, too');

# --- what is HTTP ------------------------------------------------------------------------------------------------

my $body = '{"time":0,"user":"nobody"}';
my $chunks = join '', map { sprintf "%X\r\n%s\r\n", length, $_ } '{"time":0,', '"user":"nobody"}';
my ($date) = stamp();
my $signed = Signature::sign({ method => 'POST', path => $preview, body => $body, headers => [ [ 'X-Sdk-Date', $date ] ], date => $date, access => $c->access, secret => $c->secret });
my $head = "POST $preview HTTP/1.1\r\nHost: x\r\nX-Sdk-Date: $date\r\nAuthorization: $signed\r\nContent-Type: application/json\r\n";
like(wire($c, "${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n"), qr/"total_count":0/, 'a request in chunks');
$s = connected($c);
syswrite $s, "${head}Expect: 100-continue\r\nContent-Length: @{[ length $body ]}\r\n\r\n";
sysread $s, my $go, 65536;
is($go, "HTTP/1.1 100 Continue\r\n\r\n", 'a client that asks before it sends');
syswrite $s, $body;
like(answer_of($s), qr/"total_count":0/, '... is answered');
$s = connected($c);
for my $byte (split //, plain($c)) { syswrite $s, $byte }
is(answer_of($s) =~ s/.*\r\n\r\n//sr, $whole, 'a request byte by byte');
$s = connected($c);
syswrite $s, plain($c) x 3;
my $all = '';
while ((() = $all =~ /\Q$whole/g) < 3) { my $more = answer_of($s); last if !length $more; $all .= $more }
is(scalar(() = $all =~ /\Q$whole/g), 3, 'three requests at once');
is(wire($c, "\x16\x03\x01\x02\x00\x01\x00"), '', 'TLS to a server that has none');
is(wire($c, "GET /das HTTP/1.0\r\n\r\n") =~ /^Connection: close\r$/m, 1, 'HTTP/1.0');

# --- many at once --------------------------------------------------------------------------------------------------

$c->forget;
$c->hold('versions');
my @many = map { connected($c) } 1 .. 64;
syswrite $_, plain($c) for @many;
ok($c->wait_for('versions', 64), '64 requests came');
is($c->held('versions'), 64, '... none is answered');
is($c->max_parallel, 64, '... all in flight together');
close shift @many for 1 .. 4;
my $until = time + 60;
sleep 0.01 while $c->held('versions') > 60 && time < $until;
is($c->held('versions'), 60, 'four give up');
$c->release('versions');
is(scalar(grep { answer_of($_) =~ /\Q$whole/ } @many), 60, 'the others are answered');
is(scalar(grep { syswrite $_, plain($c); answer_of($_) =~ /\Q$whole/ } @many), 60, '... and again, on the same connections');
my %connection = map { $_->{connection} => 1 } $c->requests;
is(scalar keys %connection, 64, '64 connections');
is($c->max_parallel, 64, 'never more');

# --- TLS -------------------------------------------------------------------------------------------------------------

SKIP: {
    skip 'no IO::Socket::SSL', 1 unless eval { require IO::Socket::SSL };
    my $tls = CloudServer->new(tls => 1);
    like($tls->endpoint, qr/^https:/, 'over TLS');
    my $secure = sub { return HTTP::Tiny->new(timeout => 60, verify_SSL => 1, SSL_options => { SSL_ca_file => $_[0] || $tls->ca }) };
    my $client = $secure->();
    $tls->sessions([ { %row, id => 1 } ], frozen => 1);
    is(call($tls, 'POST', of($tls, 'auto-flow/preview-session-for-kill-process-task'), body => { time => 1 }, http => $client)->{data}{total_count}, 1, 'a preview over TLS');
    is(call($tls, 'POST', of($tls, 'auto-flow/preview-session-for-kill-process-task'), body => { time => 1, info => 'x' x 100_000 }, http => $client)->{data}{total_count}, 0, 'a large request');
    $tls->set(rows => 20_000);
    is(call($tls, 'POST', of($tls, 'auto-flow/preview-session-for-kill-process-task'), body => { time => 1 }, http => $client)->{data}{total_count}, 20_000, 'a large answer');
    $tls->set(rows => 0);
    is(call($tls, 'GET', of($tls, 'auto-flow/get-kill-process-task-switch'), http => $client)->{data}{status}, 'ON', 'on the same connection');
    my %one = map { $_->{connection} => 1 } $tls->requests;
    is(scalar keys %one, 1, '... it was one');
    my $idle = connected($tls);    # says nothing, and must not be waited for
    my @secure = map { IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $tls->port, SSL_ca_file => $tls->ca, Timeout => 60) } 1 .. 16;
    is(scalar(grep { $_ } @secure), 16, '16 connections over TLS');
    $tls->forget;
    $tls->hold('versions');
    syswrite $_, plain($tls) for @secure;
    ok($tls->wait_for('versions', 16), '... all ask');
    is($tls->max_parallel, 16, '... at once');
    $tls->release('versions');
    is(scalar(grep { answer_of($_) =~ /\Q$whole/ } @secure), 16, '... and are answered');
    my $other = CloudServer->new(tls => 1, names => 'DNS:das.cn-north-4.myhuaweicloud.com');
    like($secure->($other->ca)->get($tls->endpoint . '/das')->{content}, qr/certificate/, 'another authority');
    like(HTTP::Tiny->new(verify_SSL => 1, SSL_options => { SSL_ca_file => $other->{ca} })->get($other->endpoint . '/das')->{content}, qr/hostname|certificate/, 'a certificate for another host');
    like(wire($tls, plain($tls)), qr/\A(?!HTTP)/, 'plain HTTP to TLS gets no answer');
    $tls->script(versions => [ { cut => 3, times => 2 } ]);    # HTTP::Tiny tries again
    is($client->get($tls->endpoint . '/das')->{status}, 599, 'cut over TLS');
}

# --- its end -----------------------------------------------------------------------------------------------------------

pipe my $from, my $to;
my $pid = fork // die;
if (!$pid) {
    my $child = CloudServer->new;
    syswrite $to, $child->port . "\n";
    sleep 60;
    POSIX::_exit(0);
}
my $port = <$from>;
my $alive = sub { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port + 0) };
ok($alive->(), 'a server of another test');
kill 'KILL', $pid;
waitpid $pid, 0;
$until = time + 60;
sleep 0.05 while $alive->() && time < $until;
ok(!$alive->(), 'ends with it, however that ends');
is_deeply([ grep { /the server failed/ } $c->violations ], [], 'the server made no mistake');
my $last = $c->port;
undef $c;
ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $last), 'ends with its object');

done_testing();
