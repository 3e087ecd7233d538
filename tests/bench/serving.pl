# serving.pl - das serve beside a bare libmicrohttpd program that returns as many constant bytes, and beside nginx that does
# the same work in Lua: verifies the same signature, filters the same 1,000 sessions, encodes the same 200. Part of run.pl.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes qw(sleep);
use IO::Socket::INET;
use Das qw(wait_for);
use MariaDB;
use Serve;
use Signature qw(sign);

my $json = JSON::PP->new->utf8->canonical;
my @statements = (
    undef,
    "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = %d AND o.state = 'open'",
    "SELECT product_id, SUM(amount) FROM order_items\nWHERE created > '2026-01-01' AND shop_id = %d\nGROUP BY product_id ORDER BY 2 DESC LIMIT 100",
);

sub sessions_file {
    my ($path) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print $out $json->encode({ data_sync_time => 1766655104, processes => [ map { {
        id => 1000 + $_, user => 'app' . $_ % 7, host => '10.0.' . $_ % 200 . '.3:4000', db => 'shop', state => 'Sending data',
        command => $_ % 3 ? 'Query' : 'Sleep', sql_info => $_ % 3 ? sprintf($statements[ $_ % 3 ], $_) : undef, state_duration => $_ % 100,
    } } 1 .. 1000 ] }), "\n";
    close $out;
}

# Another server, until the end of the benchmark; ready when its port takes connections.
my %children;
sub start_server {
    my ($port, @command) = @_;
    my $pid = fork // die;
    if (!$pid) { open STDOUT, '>', '/dev/null'; exec @command or POSIX::_exit(127) }
    $children{$pid} = 1;
    wait_for(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }, 20) or die "@command did not start\n";
    return $pid;
}
END { local $?; kill 'TERM', keys %children; waitpid $_, 0 for keys %children }

# Arguments of wrk for one signed preview of $path at $port.
sub signed_preview {
    my ($key, $port, $path, $body) = @_;
    my $date = strftime('%Y%m%dT%H%M%SZ', gmtime);
    my $authorization = sign({ method => 'POST', path => $path, body => $body, date => $date, access => $key->{access}, secret => $key->{secret},
        headers => [ [ Host => "127.0.0.1:$port" ], [ 'X-Sdk-Date' => $date ], [ 'Content-Type' => 'application/json' ] ] });
    return ("http://127.0.0.1:$port$path", '--', $authorization, $date, $body);
}

sub wrk {
    my ($seconds, @request) = @_;
    open my $in, '-|', 'wrk', '-t1', '-c64', "-d${seconds}s", '-s', 'tests/bench/preview.lua', @request or die "wrk: $!\n";
    my %f = map { /^requests=/ ? map { split /=/ } split ' ' : () } <$in>;
    die "wrk: no figures, or errors: " . join(' ', %f) . "\n" if !$f{rps} || $f{status_errors} || $f{socket_errors};
    return \%f;
}

sub answer { my ($url, undef, $auth, $date, $body) = @_;
    my $r = HTTP::Tiny->new->post($url, { content => $body, headers => { 'Content-Type' => 'application/json', 'X-Sdk-Date' => $date, Authorization => $auth } });
    die "$url: $r->{status} $r->{content}\n" if $r->{status} != 200;
    return $r->{content};
}

sub middle { my @s = sort { $a <=> $b } @_; return $s[ $#s / 2 ] }
sub resident { my ($pid) = @_; my ($kb) = `cat /proc/$pid/status` =~ /^VmRSS:\s+(\d+)/m; return $kb }

sub bench_serve {
    my ($say_bound, $build) = @_;
    my $dir = tempdir(CLEANUP => 1);
    sessions_file("$dir/list.json");
    my $s = Serve->new(instances => { orders => "mem:$dir/list.json" }, serve => 'mode = "observe"', timeout => 900);
    my $path = $s->flow('orders', 'preview-session-for-kill-process-task');
    my $body = '{"command":"Query","time":20,"info":"select~from"}';
    my ($bare_port, $nginx_port) = (MariaDB::free_port(), MariaDB::free_port());
    my @das = signed_preview($s->{key}, $s->{port}, $path, $body);
    my @bare = signed_preview($s->{key}, $bare_port, $path, $body);
    my @nginx = signed_preview($s->{key}, $nginx_port, $path, $body);
    my $ours = answer(@das);
    start_server($bare_port, "$build/tests/bench/httpd_bare", $bare_port, length $ours);
    mkdir "$dir/nginx";
    {
        local $ENV{DAS_BENCH_SECRET} = $s->{key}{secret};
        start_server($nginx_port, 'tests/bench/nginx/start.sh', "$dir/nginx", $nginx_port, "$dir/list.json", $Serve::PROJECT, $s->id('orders'), $s->{key}{access});
    }
    my ($a, $b) = map { $json->decode($_) } $ours, answer(@nginx);
    die "nginx does not answer the same\n" if $a->{total_count} != $b->{total_count}
        || $json->encode([ map { $_->{id} } @{ $a->{processes} } ]) ne $json->encode([ map { $_->{id} } @{ $b->{processes} } ]);
    printf "das serve: signed previews of 1,000 sessions, %d processes in an answer of %d bytes, 64 connections\n", scalar @{ $a->{processes} }, length $ours;
    my %all;
    for (1 .. 3) {
        push @{ $all{das} }, wrk(5, @das);
        push @{ $all{bare} }, wrk(5, @bare);
        push @{ $all{nginx} }, wrk(5, @nginx);
    }
    my %rps = map { my $k = $_; $k => middle(map { $_->{rps} } @{ $all{$k} }) } keys %all;
    my %p99 = map { my $k = $_; $k => middle(map { $_->{p99} / 1000 } @{ $all{$k} }) } keys %all;
    $say_bound->('against a bare libmicrohttpd program, requests a second', $rps{bare} / $rps{das}, 2,
        sprintf '%.2f of it (%d, %d); at least 0.50', $rps{das} / $rps{bare}, $rps{das}, $rps{bare});
    $say_bound->('against nginx with Lua, requests a second', $rps{nginx} / $rps{das}, 0.5,
        sprintf '%.1f times as many (%d, %d); at least 2', $rps{das} / $rps{nginx}, $rps{das}, $rps{nginx});
    $say_bound->('p99', $p99{das}, 20, sprintf '%.1f ms (bare %.1f ms, nginx %.1f ms); at most 20 ms', @p99{qw(das bare nginx)});

    my $pid = $s->{run}{pid};
    my ($done, $before) = (0, resident($pid));
    while ($done < 1_000_000) {
        @das = signed_preview($s->{key}, $s->{port}, $path, $body);
        $done += wrk(5, @das)->{requests};
    }
    my $after = resident($pid);
    $say_bound->('memory after 1,000,000 requests more', $after / $before, 1.05, sprintf '%.3f times (%d KB, %d KB)', $after / $before, $after, $before);
    kill 'TERM', keys %children;
    $s->stop;
}
1;
