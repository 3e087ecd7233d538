#!/usr/bin/perl
# A kill hits the statement or the idle session that was looked at, or nobody. Asked of the source
# directly: apply would have looked again and not have tried.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use IPC::Open2;
use Test::More;
use Time::HiRes qw(sleep);
use MariaDB;
use Herd;
use Proxy;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $log = 'general.log';
my $db = MariaDB->new(args => ['--log-bin=binlog', '--server-id=1', '--general-log',
        "--general-log-file=$log"]);
my $two = MariaDB->new;
for ($db, $two) {
    $_->sql("CREATE USER app\@localhost; CREATE USER das\@localhost; CREATE USER das\@'127.0.0.1';
        GRANT PROCESS, CONNECTION ADMIN ON *.* TO das\@localhost;
        GRANT PROCESS, CONNECTION ADMIN ON *.* TO das\@'127.0.0.1'");
}
$db->sql('CREATE DATABASE d; CREATE TABLE d.t (a INT) ENGINE=InnoDB; INSERT INTO d.t VALUES (1);
    GRANT ALL ON d.* TO app@localhost');

# --- tests/e2e/direct.c -----------------------------------------------------------------------
sub direct {
    my ($in, $out);
    my $pid = open2($out, $in, ($ENV{BUILD} || 'build') . '/tests/e2e/direct', @_);
    return { pid => $pid, in => $in, out => $out };
}

sub ask {
    my ($d, $command) = @_;
    print { $d->{in} } "$command\n";
    $d->{in}->flush;
    my @lines;
    while (defined(my $line = readline $d->{out})) {
        chomp $line;
        return wantarray ? @lines : join "\n", @lines if $line eq '.';
        push @lines, $line;
    }
    die "direct ended: @lines\n";
}

# id => { user, command, query, trx, protected }
sub list {
    my ($d) = @_;
    my %s;
    for (ask($d, 'list')) {
        my ($id, @rest) = split /\t/;
        die "$_\n" if /^!/;
        @{ $s{$id} }{qw(user command query trx protected)} = @rest;
    }
    return \%s;
}

sub finish {
    my ($d) = @_;
    close $d->{in};
    waitpid $d->{pid}, 0;
    return $? >> 8;
}

sub look { return $db->sql("SELECT COALESCE(INFO, COMMAND) FROM information_schema.PROCESSLIST WHERE ID = $_[0]") }

# What was logged for a connection to do with KILL since the last call.
my $read = 0;
sub logged_kills {
    open my $fh, '<', "$db->{dir}/data/$log" or die "$log: $!\n";
    seek $fh, $read, 0;
    my @lines = grep { /\bKILL\b/ } <$fh>;
    $read = tell $fh;
    s/^.*?\bQuery\t// for @lines;
    chomp @lines;
    return @lines;
}

my $d = direct($db->url('das'));
my $herd = Herd->new($db->{socket});
is ask($d, 'soft'), '-', 'before the first list a soft kill is not ruled out';

# --- soft -------------------------------------------------------------------------------------
{
    my $id = $herd->add('app', '', 'SELECT SLEEP(600) /* soft */');
    my $n = $herd->{count};
    ok wait_for(sub { look($id) =~ /soft/ }), 'a statement';
    my $query = list($d)->{$id}{query};
    is ask($d, 'soft'), '-', 'MariaDB has soft kills';
    logged_kills();
    is ask($d, "kill soft $id " . ($query + 1000)), 'gone ', 'another number hits nobody';
    like look($id), qr/soft/, 'it runs on';
    is ask($d, "kill soft $id $query"), 'killed ', 'its own number';
    is_deeply [logged_kills()], [ 'KILL SOFT QUERY ID ' . ($query + 1000), "KILL SOFT QUERY ID $query" ],
        'KILL SOFT QUERY ID is what the server was told';
    $herd->say($n, '');
    ok wait_for(sub { look($id) eq 'Sleep' }), 'the statement is over, the session lives';
}

# --- the connection of a busy session ---------------------------------------------------------
{
    my $id = $herd->add('app', '', 'SELECT SLEEP(600) /* first */');
    my $n = $herd->{count};
    ok wait_for(sub { look($id) =~ /first/ }), 'a statement';
    my $stale = list($d)->{$id}{query};
    is ask($d, "kill statement $id $stale"), 'killed ', 'ends';
    $herd->say($n, 'SELECT SLEEP(600) /* second */');
    ok wait_for(sub { look($id) =~ /second/ }), 'and another begins';
    logged_kills();
    is ask($d, "kill busy $id $stale"), 'gone ', 'the look from before kills nobody';
    is ask($d, "kill idle $id $stale"), 'gone ', 'nor does it take the session for an idle one';
    like look($id), qr/second/, 'the second statement runs on';
    my $query = list($d)->{$id}{query};
    is ask($d, "kill idle $id $query"), 'gone ', 'a busy session is no idle one';
    like look($id), qr/second/, 'the second statement still runs on';
    is ask($d, "kill busy $id $query"), 'killed ', 'a fresh look kills';
    ok wait_for(sub { look($id) eq '' }), 'the connection is gone';
    my @kills = logged_kills();
    is scalar @kills, 4, 'each was one statement';
    like $kills[-1], qr/^BEGIN NOT ATOMIC .*KILL QUERY ID $query; END IF; KILL CONNECTION $id; END$/,
        'that ends the statement by its number, and then the connection';
    is ask($d, "kill busy $id $query"), 'gone ', 'nobody is killed twice';
}

# --- an idle session --------------------------------------------------------------------------
{
    my $id = $herd->add('app', '', 'SELECT SLEEP(600) /* ends */');
    my $n = $herd->{count};
    ok wait_for(sub { look($id) =~ /ends/ }), 'a statement';
    my $query = list($d)->{$id}{query};
    is ask($d, "kill statement $id $query"), 'killed ', 'ends';
    $herd->say($n, '');
    ok wait_for(sub { look($id) eq 'Sleep' }), 'and the session sleeps';
    is list($d)->{$id}{query}, $query, 'with the number of that statement';
    is ask($d, "kill busy $id $query"), 'gone ', 'who looked while it was busy kills nobody';
    is look($id), 'Sleep', 'it lives';
    is ask($d, "kill idle $id $query"), 'killed ', 'who saw it idle does';
    ok wait_for(sub { look($id) eq '' }), 'it is gone';

    my $new = $herd->add('app', '', '');
    my $before = list($d)->{$new}{query};
    $herd->say($herd->{count}, 'SELECT SLEEP(600) /* woke up */');
    ok wait_for(sub { look($new) =~ /woke/ }), 'an idle session wakes up';
    is ask($d, "kill idle $new $before"), 'gone ', 'and is spared';
    like look($new), qr/woke/, 'with its statement';

    my $silent = $herd->add('app', '', '');
    is ask($d, "kill idle $silent " . list($d)->{$silent}{query}), 'killed ',
        'a session that never ran a statement can be killed too';
}

# --- two sessions with the same number: the one that was pinged does not use it up ----------------
{
    my (@pair, $n);
    for (1 .. 20) {    # until nobody else's statement came in between
        my $sleeper = $herd->add('app', '', '');
        $n = $herd->{count};
        my $runner = $herd->add('app', '', '');
        is $herd->ping($n), 'ok', 'a ping' or last;
        $herd->say($n + 1, 'SELECT SLEEP(600) /* same number */');
        ok wait_for(sub { look($runner) =~ /same/ }), 'a statement';
        my $s = list($d);
        @pair = ($sleeper, $runner);
        last if $s->{$sleeper}{query} eq $s->{$runner}{query};
    }
    my ($sleeper, $runner) = @pair;
    my $query = list($d)->{$runner}{query};
    is list($d)->{$sleeper}{query}, $query, 'an idle session has the number of a statement';
    is ask($d, "kill busy $sleeper $query"), 'gone ', 'an idle one is not taken for the busy one';
    is ask($d, "kill idle $runner $query"), 'gone ', 'nor the other way round';
    is ask($d, "kill idle $sleeper $query"), 'killed ', 'the idle session is killed';
    ok wait_for(sub { look($sleeper) eq '' }), 'really';
    like look($runner), qr/same number/, 'and the statement with its number runs on';
}

# --- transactions -----------------------------------------------------------------------------
{
    my $id = $herd->add('app', 'd', 'START TRANSACTION');
    is $herd->say($herd->{count}, "UPDATE t SET a = 2"), "ok", "begun";
    is $herd->say($herd->{count}, ""), "ok", "written";
    my $plain = $herd->add('app', 'd', '');
    my $s;
    # InnoDB looks anew only when nobody has asked it for 0.1 s
    ok wait_for(sub { sleep 0.2; $s = list($d); $s->{$id}{trx} ne '-' }), 'a transaction has its number';
    is $s->{$id}{trx}, $db->sql("SELECT trx_id FROM information_schema.INNODB_TRX
        WHERE trx_mysql_thread_id = $id"), 'InnoDB\'s';
    is $s->{$plain}{trx}, '-', 'who is in none has none';
}

# --- who is never killed ----------------------------------------------------------------------
{
    my $holder = $db->url('das');
    my ($fh, $script) = File::Temp::tempfile(SUFFIX => '.lua', UNLINK => 1);
    print $fh 'assert(das.preview{all = true}) print("there" .. (" "):rep(8192)) while true do end';
    close $fh;
    my $run = das_start('run', '-i', $holder, $script);
    ok wait_for(sub { Das::so_far($run) =~ /there/ }), 'another das of the same user';
    my $tools = direct($db->url('das'), $db->url('das'));
    list($tools);
    ask($tools, 'use 2');
    my $s = list($tools);
    my @why = map { $s->{$_}{protected} } grep { $s->{$_}{user} eq 'das' } sort keys %$s;
    is_deeply [ sort @why ], [ ("a session of das's own user") x 2, ("das's own session") x 2 ],
        'both connections of this process and those of others are protected';
    kill 'TERM', $run->{pid};
    das_finish($run);
    is finish($tools), 0, 'a source that is closed';
    my ($app) = grep { $s->{$_}{user} eq 'app' } keys %$s;
    is $s->{$app}{protected}, '-', 'others are not';

    my $r = das_script($db->url('das'), <<'LUA', '--apply');
local report = assert(assert(das.preview{user = "das"}):plan{kill = "connection", reason = "test"}:apply())
for _, o in ipairs(report.outcomes) do print(o.outcome, o.note) end
LUA
    like $r->{out}, qr/^protected\tdas's own session\n/m, 'a plan does not touch the own connection'
        or diag $r->{err};
    like $r->{out}, qr/^protected\ta session of das's own user$/m, 'nor another das\'s';

    $db->sql('CREATE USER repl@localhost; GRANT REPLICATION SLAVE ON *.* TO repl@localhost');
    my $other = $herd->add('repl', '', '');
    is list($d)->{$other}{protected}, '-', 'a user that does not replicate';
    my $pid = open(my $binlog, '-|', 'mariadb-binlog', '--no-defaults', '-urepl', '-S', $db->{socket},
        '--read-from-remote-server', '--stop-never', 'binlog.000001');
    ok wait_for(sub { grep { $_->{command} =~ /^Binlog Dump/ } values %{ list($d) } }),
        'begins to read the binary log';
    $s = list($d);
    my ($dump) = grep { $_->{command} =~ /^Binlog Dump/ } values %$s;
    is $dump->{protected}, 'replication', 'that session is protected';
    is $s->{$other}{protected}, 'user repl replicates here', 'and all others of the user';
    kill 'TERM', $pid;
    close $binlog;
}

# --- a proxy that leads to another server in the middle ------------------------------------------
{
    my $there = Herd->new($two->{socket});
    my $proxy = Proxy->new("127.0.0.1:$db->{port}");
    my $p = direct("mysql://das\@127.0.0.1:$proxy->{port}/");
    my $id = $herd->add('app', '', 'SELECT SLEEP(600) /* here */');
    ok wait_for(sub { look($id) =~ /here/ }), 'a statement';
    my $s = list($p);
    is $s->{$id}{command}, 'Query', 'seen through a proxy';
    $there->add('app', '', 'SELECT SLEEP(600) /* there */') for 1 .. 3;
    $proxy->tell("swap 127.0.0.1:$two->{port}");
    like ask($p, "kill busy $id $s->{$id}{query}"),
        qr/^failed .*KILL CONNECTION $id: another server or connection answers/,
        'a kill does not reach another server';
    like ask($p, "kill busy $id $s->{$id}{query}"), qr/^failed .*connection that listed it is lost/,
        'nor does the next one';
    $s = list($p);
    is scalar(grep { $_->{user} eq 'app' } values %$s), 3, 'the next list makes a new connection, there';
    $proxy->tell("swap 127.0.0.1:$db->{port}");
    like ask($p, 'list'), qr/^! connect: .*another server or connection answers: \d+\|/,
        'a list does not come from another server';
    $s = list($p);
    ok $s->{$id}, 'a new connection leads here again';
    like look($id), qr/here/, 'nothing was killed here';
    is $two->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%there%' AND USER = 'app'"), 3,
        'nor there';
    finish($p);
}

is finish($d), 0, 'done';
done_testing;
