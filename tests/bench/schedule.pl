# schedule.pl - das serve as it runs a policy on 1,000 instances every 10 s, on one core: the instances are in the memory of another
# das serve, asked over HTTP with signed requests, as the cloud would be. Part of run.pl.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use Time::HiRes qw(sleep time);
use POSIX ();
use Das qw(wait_for);
use Serve;

my $COUNT = 1000;
my ($EVERY, $WARM, $LONG) = (10, 12, 40);    # s

sub sessions {
    my ($path) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print $out JSON::PP->new->encode({ data_sync_time => 1766655104, processes => [ map { {
        id => 1000 + $_, user => 'app' . $_ % 7, host => '10.0.' . $_ % 200 . '.3:4000', db => 'shop', state => $_ % 3 ? 'Sending data' : '',
        command => $_ % 3 ? 'Query' : 'Sleep', sql_info => $_ % 3 ? "SELECT o.id FROM orders o WHERE o.id = $_" : undef, state_duration => $_ % 40,
    } } 1 .. 50 ] }), "\n";
    close $out;
}

sub pin { my ($pid, $core) = @_; system('taskset', '-acp', $core, $pid) == 0 or die "taskset: $!\n" }

sub cpu_ticks { my ($pid) = @_; open my $in, '<', "/proc/$pid/stat" or die; my @f = split ' ', (<$in> =~ s/^.*\) //r); return $f[11] + $f[12] }
sub memory { my ($pid) = @_; my ($kb) = `cat /proc/$pid/status` =~ /^VmRSS:\s+(\d+)/m; return $kb }

# Counters by name, buckets by their bound.
sub metrics {
    my ($s) = @_;
    my $text = $s->ask(GET => '/metrics', undef, key => undef)->{content};
    my %m = (ok => $text =~ /^das_policy_runs_total\{result="ok"\} (\d+)/m, skipped => $text =~ /^das_policy_skipped_total (\d+)/m);
    $m{bad} += $_ for $text =~ /^das_policy_runs_total\{result="(?!ok)\w+"\} (\d+)/mg;
    $m{late} = { $text =~ /^das_policy_lateness_seconds_bucket\{le="([^"]+)"\} (\d+)/mg };
    return \%m;
}

# The smallest bound below which so much of what came between two readings lies; s.
sub bound_of {
    my ($share, $before, $after) = @_;
    my %n = map { $_ => $after->{$_} - $before->{$_} } keys %$after;
    for my $le (sort { $a <=> $b } grep { $_ ne '+Inf' } keys %n) { return $le if $n{$le} >= $share * $n{'+Inf'} }
    return 1e9;
}

sub bench_schedule {
    my ($say_bound) = @_;
    my $dir = tempdir(CLEANUP => 1);
    sessions("$dir/list.json");
    my %id = map { my $n = $_; sprintf('db%04d', $n) => sprintf('%032din01', $n) } 1 .. $COUNT;
    my $far = Serve->new(timeout => 900, instances => { map { $_ => qq({ source = "mem:$dir/list.json", id = "$id{$_}" }) } keys %id });
    open my $secret, '>', "$dir/secret" or die;
    print $secret $far->{key}{secret};
    close $secret;
    chmod 0600, "$dir/secret";
    my $policy = Cwd::abs_path('scripts/policies/long_select.lua');
    my $near = Serve->new(timeout => 900, start => 0,
        instances => { map { $_ => "das://local/$Serve::PROJECT/$id{$_}?endpoint=http://127.0.0.1:$far->{port}" } keys %id },
        more => qq(clouds = { default = { access_key = "$far->{key}{access}", secret_key = { file = "$dir/secret" }, rate = 0 } },
          policies = { { script = "$policy", args = { "1h" }, instances = { "*" }, every = "${EVERY}s", mode = "auto" } },));
    $near->start;
    my ($pid, $ticks) = ($near->{run}{pid}, POSIX::sysconf(POSIX::_SC_CLK_TCK()));
    {
        open my $out, '>&', \*STDOUT or die;
        open STDOUT, '>', '/dev/null';
        pin($pid, 0);
        pin($far->{run}{pid}, 1);
        open STDOUT, '>&', $out;
    }
    printf "Schedule: a policy on %d instances every %d s, each a signed preview over HTTP; %d s on one core\n", $COUNT, $EVERY, $LONG;
    sleep $WARM;
    my ($m0, $cpu0, $t0) = (metrics($near), cpu_ticks($pid), time);
    sleep $LONG;
    my ($m1, $cpu1, $t1) = (metrics($near), cpu_ticks($pid), time);
    my $took = $t1 - $t0;
    my $runs = $m1->{ok} - $m0->{ok};
    my $share = 100 * ($cpu1 - $cpu0) / $ticks / $took;
    my %late = map { $_ => 1000 * bound_of($_, $m0->{late}, $m1->{late}) } 0.5, 0.99, 0.999;
    my $due = $took * $COUNT / $EVERY;
    $say_bound->('runs, as many as were due', abs($runs / $due - 1), 0.02, sprintf '%d of %.0f, %d failed, %d times skipped', $runs, $due, $m1->{bad}, $m1->{skipped});
    $say_bound->('none failed or was skipped', $m1->{bad} + $m1->{skipped}, 0, 'none may be');
    $say_bound->('processor time', $share, 15, sprintf '%.1f %% of a core, %.2f ms for each run; at most 15 %%', $share, 10 * $share * $took / $runs);
    $say_bound->('memory', memory($pid), 40960, sprintf '%d KB, %.1f KB for each instance; at most 40 MB', memory($pid), memory($pid) / $COUNT);
    $say_bound->('lateness p99', $late{0.99}, 25, sprintf 'at most %g ms (p50 %g ms, p99.9 %g ms); at most 25 ms', @late{0.99, 0.5, 0.999});
    $near->stop;
    $far->stop;
}
1;
