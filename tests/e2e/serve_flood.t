#!/usr/bin/perl
# serve_flood.t - 10,000 connections that send nothing, or half a request, or a byte now and then: das serve keeps its
# bounds, cuts them in time, and goes on serving who behaves.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use IO::Socket::INET;
use Socket;
use Time::HiRes qw(sleep time);
use Das qw(wait_for);
use Serve;

my $COUNT = ($ENV{BUILD} || '') =~ /san-/ ? 2000 : 10_000;
# Both ends count against the limit of each process; sockets of this process alone need that many.
my $may = (split ' ', `cat /proc/self/limits | grep 'open files'`)[4];
plan skip_all => "only $may open files are allowed here" if $may ne 'unlimited' && $may < $COUNT + 200;
system("prlimit --pid $$ --nofile=" . ($COUNT + 500) . ":$may >/dev/null 2>&1");

my $s = Serve->new(instances => { orders => 'mem:tests/samples/recording.jsonl' },
    serve => 'mode = "observe", deadline = "4s", connections = 300, connections_per_address = 50');
$s->id('orders');
my $address = sockaddr_in($s->{port}, inet_aton('127.0.0.1'));
sub status_of { my ($what) = @_; my ($v) = `cat /proc/$s->{run}{pid}/status` =~ /^$what:\s+(\d+)/m; return $v }
my $memory = status_of('VmRSS');

# From many addresses of this machine, so that the bound of each address alone does not end it: they are blocked out of
# the server only by the bound of all. The last address stays free for the one who behaves.
my (@sockets, @from);
sub open_one {
    my ($i) = @_;
    socket(my $fh, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    my $flags = fcntl($fh, 3, 0);
    fcntl($fh, 4, $flags | 2048);    # F_SETFL, O_NONBLOCK
    bind($fh, sockaddr_in(0, inet_aton('127.0.' . (1 + int($i / 200)) . '.' . (1 + $i % 4)))) or die "bind: $!";
    connect($fh, $address);
    return $fh;
}
my @begin = ('', "GET /livez HT", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
my $began = time;
my ($good, $bad, $highest) = (0, 0, 0);
my $behave = sub {
    my $r = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$s->{port}", LocalAddr => '127.9.9.9', Timeout => 30) or return $bad++;
    print $r "GET /das HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    local $/;
    my $answer = <$r> // '';
    $answer =~ m{^HTTP/1.1 200 } ? $good++ : $bad++;
};
for my $i (0 .. $COUNT - 1) {
    my $fh = open_one($i);
    push @sockets, $fh;
    if ($i % 500 == 499) {
        for my $k ($i - 499 .. $i) { send($sockets[$k], $begin[ $k % 4 ], 0x4000) if length $begin[ $k % 4 ] }
        my $threads = status_of('Threads');
        $highest = $threads if $threads > $highest;
    }
}
# now and then a byte of some
for (1 .. 20) {
    send($sockets[ 4 * $_ + 2 ], 'x', 0x4000) for 1 .. 50;
    my $threads = status_of('Threads');
    $highest = $threads if $threads > $highest;
    $behave->() if $_ % 5 == 0;
    sleep 0.1;
}
is($bad, 0, 'who behaves is served meanwhile, every time');
is($good, 4, 'as often as asked');
cmp_ok($highest, '<=', 300 + 60, 'never more threads than connections are allowed') or diag($highest);
my $grown = status_of('VmRSS') - $memory;
cmp_ok($grown, '<', ($ENV{BUILD} || '') =~ /san-/ ? 600_000 : 60_000, 'memory stays within what 300 connections need (KB)');
note("$COUNT connections, $highest threads at the most, $grown KB more");

# every one of them is cut, although none has ended
my $rin = '';
my $open = scalar @sockets;
ok(wait_for(sub {
    for my $fh (grep { defined } @sockets) {
        my $got = sysread($fh, my $bytes, 65536);
        if (defined $got && $got == 0 || !defined $got && !$!{EAGAIN}) { close $fh; undef $fh; $open-- }
    }
    return $open == 0;
}, 120), 'all of them are cut') or diag("$open are open");
$behave->();
is($bad, 0, 'and all is as before');
my $metrics = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$s->{port}");
print $metrics "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
my $text = do { local $/; <$metrics> };
my ($refused) = $text =~ /^das_http_connections_refused_total (\S+)/m;
my ($cut) = $text =~ /^das_http_connections_cut_total (\S+)/m;
cmp_ok(($refused // 0) + ($cut // 0), '>=', $COUNT * 0.5, 'it has counted them') or diag($text);
is($s->stop->{exit}, 0, 'ends in order');
done_testing();
