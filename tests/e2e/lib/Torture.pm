# Torture.pm - two servers full of clients that never stand still, and several das that kill among
# them, are killed themselves, and find another server behind an address that they know.
#
#   my $t = Torture->new(clients => 400, limits => { run => 120, instance => 180, window_ms => 1000 });
#   $t->run(kills => 10000, seconds => 90, runners => 4);
#   my $r = $t->verdict;          # KillCheck's, of all that was written down; and
#   $t->{exits}                   # how often das ended how: { "apply 5" => 17, ... }
#
# Options: das => PROGRAM, seed => N, jobs => ['run', 'two steps'], looks => [...] (see @LOOKS).
package Torture;
use strict;
use warnings;
use IPC::Open2;
use POSIX ();
use Time::HiRes qw(sleep time);
use Das ();
use KillCheck;
use MariaDB;
use Proxy;

# What a policy looks for: kill, the filter, and who of those. A connection is killed where its next
# statement is seconds away: between the server's confirmation and the end of the connection there
# are microseconds that nobody can close.
our @LOOKS = (
    [ 'query', '{ user = USER, command = "Query" }', 'oldest' ],
    [ 'query', '{ user = USER, command = "Query" }', 'oldest' ],
    [ 'query', '{ user = USER, command = "Query" }', 'newest' ],
    [ 'query', '{ user = USER, info = "query_id~get_lock" }', 'newest' ],
    [ 'query', '{ user = USER }', 'newest' ],
    [ 'connection', '{ user = USER, command = "Sleep", trx_time = 1 }', 'oldest' ],
    [ 'connection', '{ user = USER, command = "Sleep", trx_time = 1 }', 'newest' ],
    [ 'connection', '{ user = USER, command = "Query", time = 1 }', 'newest' ],
    [ 'auto', '{ user = USER, time = 1 }', 'oldest' ],
    [ 'auto', '{ user = USER, trx_time = 1 }', 'newest' ],
);
our @USERS = qw(app1 app% app% app% %);

sub new {
    my ($class, %opt) = @_;
    my $self = bless { das => Das::program(), clients => 400, seed => 1, owner => $$, jobs => [ 'run', 'two steps' ],
        looks => \@LOOKS, proxy_at => 'A', exits => {}, %opt }, $class;
    $self->{limits} ||= { run => 120, instance => 180, window_ms => 1000 };
    $self->{names} = [ 'A', 'B' ];
    for my $name ('A', 'B') {
        my $db = $self->{$name} = MariaDB->new(args => [ '--general-log=1', '--general-log-file=general.log',
            '--back-log=1000', '--max-connections=' . ($self->{clients} + 100) ]);
        $db->sql("CREATE DATABASE shop; USE shop; CREATE TABLE t (a INT PRIMARY KEY, b INT) ENGINE=InnoDB; "
            . 'INSERT INTO t SELECT seq, 0 FROM seq_1_to_2000; '
            . join('', map { "CREATE USER $_\@localhost; GRANT ALL ON shop.* TO $_\@localhost; " } qw(app1 app2 app3 app4 keep))
            . "CREATE USER das\@'127.0.0.1'; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das\@'127.0.0.1'");
    }
    $self->{dir} = $self->{A}{dir};
    $self->{proxy} = Proxy->new("127.0.0.1:$self->{A}{port}");
    $self->configure;
    return $self;
}

sub write_file {
    my ($self, $name, $text) = @_;
    my $path = "$self->{dir}/$name";
    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out;
    return $path;
}

# A and B directly, and P, where now one and now the other answers.
sub configure {
    my ($self) = @_;
    my $l = $self->{limits};
    my %port = (A => $self->{A}{port}, B => $self->{B}{port}, P => $self->{proxy}{port});
    my $instances = join '', map { "    $_ = \"mysql://das\@127.0.0.1:$port{$_}/?read_timeout=5s\",\n" } sort keys %port;
    my $window = $l->{window_ms} / 1000;
    $self->{config} = $self->write_file('das.lua', <<"LUA");
return {
  instances = {
$instances  },
  state = "$self->{dir}/state",
  protect = { { user = "keep" } },
  limits = { kill = { run = $l->{run}, instance = $l->{instance}, window = "${window}s",
    minute = 10000000, user = 10000000, percent = 100 } },
  breaker = { failures = 1000000, respawns = 0, surge = 0 },
  scripts = {
    ["policy.lua"] = { mode = "auto", grants = { "preview", "kill", "instance:*" } },
    ["at_once.lua"] = { mode = "auto", ramp = false, grants = { "preview", "kill", "instance:*" } },
  },
}
LUA
    # The plan is printed whole, for the checker, before anything is done with it.
    my $policy = <<'LUA';
local kill, n, pick, filter = das.args[1], math.tointeger(das.args[2]), das.args[3], {}
for i = 4, #das.args do
  local key, value = das.args[i]:match("^(.-)=(.*)$")
  filter[key] = math.tointeger(value) or value
end
local found, why = das.preview(filter)
if not found then
  print("! preview: " .. why)
  return
end
if #found == 0 then return end
local plan = found[pick](found, n):plan{ kill = kill, reason = "torture" }
if not das.dry_run then -- else it is saved
  print("\n" .. plan.hash .. " " .. das.json.encode(plan) .. "\n" .. (" "):rep(8192))
end
local report, message = plan:apply()
if not report then print("! apply: " .. message) end
LUA
    $self->{policies} = [ map { $self->write_file($_, $policy) } qw(policy.lua at_once.lua) ];
}

# --- clients ------------------------------------------------------------------------------------------

sub start_clients {
    my ($self) = @_;
    my $first = 1;
    for my $name (@{ $self->{names} }) {
        my $path = "$self->{dir}/clients.$name";
        my $pid = open2(my $out, my $in, ($ENV{BUILD} || 'build') . '/tests/e2e/churn', $self->{$name}{socket}, $path,
            $self->{clients}, $first, $self->{seed});
        $first += $self->{clients};
        $self->{churn}{$name} = { pid => $pid, out => $out, in => $in, log => $path };
    }
    for my $churn (values %{ $self->{churn} }) {
        my $line = readline $churn->{out};
        die "the clients did not start\n" unless defined $line && $line eq "ready\n";
    }
}

sub stop_clients {
    my ($self) = @_;
    local ($?, $!);
    for my $churn (grep { $_->{pid} } values %{ delete $self->{churn} || {} }) {
        close $churn->{in};
        my $out = $churn->{out};
        /^(\w+) (\d+)$/ and $self->{clients_said}{$1} += $2 while <$out>;
        waitpid $churn->{pid}, 0;
    }
}

# --- das, again and again --------------------------------------------------------------------------------

# One das; now and then it does not get far. What it prints goes to the runner's files.
sub one {
    my ($self, $n, $what, @args) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/runner.$n.out";
        open STDERR, '>>', "$self->{dir}/runner.$n.err";
        alarm 60;
        exec $self->{das}, @args or POSIX::_exit(127);
    }
    if ($self->{murder} && rand() < $self->{murder}) {
        sleep rand(0.25);
        kill 'KILL', $pid;
    }
    waitpid $pid, 0;
    my $exit = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
    open my $log, '>>', "$self->{dir}/runner.$n.exits";
    print $log "$what $exit\n";
    return $exit;
}

sub words {
    my ($filter, $user) = @_;
    my %f = $filter =~ /(\w+) = ("[^"]*"|\w+)/g;
    $f{user} = $user if exists $f{user};
    return map { my $v = $f{$_}; $v =~ tr/"//d; "$_=$v" } sort keys %f;
}

sub one_job {
    my ($self, $n) = @_;
    my ($kill, $filter, $pick) = @{ $self->{looks}[ rand @{ $self->{looks} } ] };
    my $instance = (qw(A B A B P))[ rand 5 ];
    my @config = ('--config', $self->{config});
    # mostly many; now and then more than a run may
    my $victims = rand() < 0.2 ? 1 + int rand 10 : int $self->{limits}{run} * (0.5 + rand 0.52);
    my @script = ($self->{policies}[ rand 2 ], $kill, $victims, $pick,
        words($filter, $USERS[ rand @USERS ]));
    my $job = $self->{jobs}[ rand @{ $self->{jobs} } ];
    if ($job eq 'run') {
        $self->one($n, 'run', 'run', @config, '-i', $instance, '--apply', @script);
        return;
    }
    my $file = "$self->{dir}/plan.$n";
    unlink $file;
    $self->one($n, 'plan', 'run', @config, '-i', $instance, '--plan-out', $file, @script);
    return unless -e $file;
    system "cat $file >>$self->{dir}/runner.$n.out";
    sleep rand 0.5;
    my @apply = ('apply', @config, $file);
    my $rival = rand() < 0.1 ? fork : undef;    # one of two has to be refused
    $self->one($n, 'apply', @apply);
    POSIX::_exit(0) if defined $rival && !$rival;
    waitpid $rival, 0 if $rival;
    $self->one($n, 'apply again', @apply) if rand() < 0.2;    # refused: once applied is applied
}

sub start_runner {
    my ($self, $n) = @_;
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    srand $self->{seed} * 1000 + $n;
    $self->one_job($n) until -e "$self->{dir}/enough";
    POSIX::_exit(0);
}

# What the clients have lost so far. A connection kill ends the statement first: that is one.
sub count_dead {
    my ($self) = @_;
    for my $churn (values %{ $self->{churn} }) {
        if (!$churn->{tail}) { open $churn->{tail}, '<', $churn->{log} or die "$churn->{log}: $!\n" }
        my $in = $churn->{tail};
        seek $in, 0, 1;
        while (defined(my $line = <$in>)) { $self->{dead}++ if KillCheck::is_death($line) }
    }
    return $self->{dead} || 0;
}

sub swap_proxy {
    my ($self) = @_;
    $self->{proxy_at} = $self->{proxy_at} eq 'A' ? 'B' : 'A';
    $self->{proxy}->tell("to 127.0.0.1:$self->{ $self->{proxy_at} }{port}");
    $self->{swaps}++;
}

# Until so many have died, or the time is over.
sub run {
    my ($self, %opt) = @_;
    my $end = time + $opt{seconds};
    $self->{murder} = $opt{murder} // 0.1;
    $self->start_clients;
    my @runners = map { $self->start_runner($_) } 1 .. $opt{runners};
    my $next_swap = 0;
    while (time < $end && $self->count_dead < $opt{kills}) {
        sleep 0.1;
        next if time < $next_swap;
        $self->swap_proxy;
        $next_swap = time + 0.5 + rand 2;
    }
    $self->write_file('enough', '');
    waitpid $_, 0 for @runners;
    unlink "$self->{dir}/enough";
    for my $log (glob "$self->{dir}/runner.*.exits") {
        open my $in, '<', $log or next;
        while (<$in>) { chomp; $self->{exits}{$_}++ }
    }
}

sub tell {
    my ($self, @args) = @_;
    my ($command, @rest) = @args;
    return Das::das($command, '--config', $self->{config}, @rest) if $command ne 'audit';
    return Das::das($command, shift @rest, '--config', $self->{config}, @rest);
}

# The journal as it is exported, after a start that looked after those that died.
sub export {
    my ($self) = @_;
    $self->tell('run', '-i', 'A', '--apply', $self->{policies}[0], 'query', 1, 'oldest', 'user=nobody');
    my $r = $self->tell('audit', 'export');
    return $self->write_file('journal.jsonl', $r->{out});
}

sub verdict {
    my ($self) = @_;
    my $journal = $self->export;
    my %server = map { my $port = $self->{$_}{port}; ($_ => { match => qr/:$port\b/, log => "$self->{$_}{dir}/data/general.log",
        clients => [ $self->{churn}{$_} ? $self->{churn}{$_}{log} : () ] }) } @{ $self->{names} };
    $self->stop_clients;
    return KillCheck::check(servers => \%server, journal => $journal, plans => [ glob "$self->{dir}/runner.*.out" ],
        limits => $self->{limits}, protected => ['keep']);
}

sub said {
    my ($self) = @_;
    my %said;
    for my $log (glob "$self->{dir}/runner.*.err $self->{dir}/runner.*.out") {
        open my $in, '<', $log or next;
        while (<$in>) { s/\d+/#/g, $said{$_}++ if /^(?:das |! )/ }
    }
    return map { sprintf '%6d %s', $said{$_}, $_ } sort { $said{$b} <=> $said{$a} } keys %said;
}

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{owner};
    kill 'CONT', $self->{proxy}{pid} if $self->{proxy};    # a test may have stopped it
    $self->stop_clients;
}

1;
