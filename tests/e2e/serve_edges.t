#!/usr/bin/perl
# serve_edges.t - das serve where it was found wanting: defaults that only the documentation had, long lists, what the
# log says and how much of it, half a request at the end.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use IO::Socket::INET;
use JSON::PP;
use Das qw(wait_for);
use Serve;

my $PREVIEW = 'preview-session-for-kill-process-task';
my $dir = File::Temp::tempdir(CLEANUP => 1);
open my $out, '>', "$dir/list.json" or die;
print $out JSON::PP->new->encode({ data_sync_time => 1766655104, total_count => 1000, processes => [ map { { id => $_, user => "u$_",
    host => '10.0.0.1:4000', db => 'shop', state => '', command => 'Query', sql_info => 'select 1', state_duration => $_ } } 1 .. 1000 ] });
close $out;

# --- defaults ----------------------------------------------------------------------------------------
my $s = Serve->new(instances => { orders => "mem:$dir/list.json", down => 'mysql://das@127.0.0.1:1/' }, serve => 'deadline = "1h", drain = "1h"');
my $v11 = $s->ask(POST => $s->flow('orders', $PREVIEW), { time => 1 }, v11 => { v11 => 1, region => 'local', service => 'das' });
is($v11->{status}, 200, 'V11 for the region "local", which is the default') or diag($v11->{content});
like($s->log, qr/"level":"warn".*nothing is killed.*observe/, 'the log says at the start that nothing is killed by default');

# --- the log -------------------------------------------------------------------------------------------
sub half { my ($bytes) = @_; my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->{port}) or die; syswrite $c, $bytes; return $c }
my $long = half('GET /' . 'a' x 9000 . " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
like(do { local $/; <$long> }, qr{^HTTP/1.1 404}, 'a long path');
my $line;
ok(wait_for(sub { ($line) = grep { ($_->{fields}{path} // '') =~ /aaa/ } $s->log_lines }, 30), 'is logged');
cmp_ok(length $line->{fields}{path}, '<=', 256, 'takes little room in the log');

# --- health --------------------------------------------------------------------------------------------
is($s->ask(POST => $s->flow('down', $PREVIEW), { time => 1 })->{status}, 500, 'a database that is not there');
my $verbose = sub { $s->ask(GET => '/readyz?verbose', undef, key => undef, headers => [@_])->{content} };
like($verbose->(), qr/instance down: /, 'is named to this machine');
unlike($verbose->([ $_ => '192.0.2.1' ]), qr/down/, "but not to who comes through a proxy that says so: $_") for qw(X-Forwarded-For Via X-Real-IP);

# --- the end -------------------------------------------------------------------------------------------
my $c = half("GET /livez HTTP/1.1\r\nHo");
is($s->ask(GET => '/livez', undef, key => undef)->{status}, 200, 'half a request is there, and others are served');
my $end = $s->stop;
is($end->{exit}, 0, 'and does not keep the server from ending, nor counts as in flight');

# --- a long list ---------------------------------------------------------------------------------------
$s = Serve->new(instances => { orders => "mem:$dir/list.json" });
my $r = $s->ask(POST => $s->path('orders', 'kill-process'),
    { engine_type => 'MySQL', processes => [ map { { id => $_, user => 'u' . ($_ == 7 ? 8 : $_) } } 1 .. 1000 ] });
is("$r->{status} " . ($r->{json}{count} // $r->{content}), '200 999', 'kill-process of a thousand users, one of them another\'s');
$s->stop;
done_testing();
