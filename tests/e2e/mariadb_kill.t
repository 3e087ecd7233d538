#!/usr/bin/perl
# What was seen is what dies: a session that moved on lives, and nothing else is hit.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Time::HiRes qw(sleep);
use MariaDB;
use Herd;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $db = MariaDB->new(args => ['--log-bin=binlog', '--server-id=1']);
$db->sql(<<'SQL');
CREATE DATABASE d; CREATE TABLE d.t (a INT) ENGINE=InnoDB; INSERT INTO d.t VALUES (1);
CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost;
CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;
SQL
my $url = $db->url('das');
my $print = 'for _, o in ipairs(report.outcomes) do print(o.id, o.outcome) end';

sub statement { return $db->sql("SELECT COALESCE(INFO, '-') FROM information_schema.PROCESSLIST WHERE ID = $_[0]") }

sub start_script {
    my ($lua, @args) = @_;
    my $path = "$db->{dir}/script.lua";
    open my $fh, '>', $path or die;
    print $fh $lua;
    close $fh;
    return das_start('run', '-i', $url, @args, $path);
}

# --- a victim that moves on between plan and apply ------------------------------------------
# The server takes seconds to see that an earlier round's client has gone: texts differ by round.
for my $kill (qw(query connection auto)) {
    my $herd = Herd->new($db->{socket});
    my $gate = $herd->add('app', '', "SELECT GET_LOCK('gate $kill', 60)");
    is $herd->say(1, ''), 'ok', 'a gate';
    my $victim = $herd->add('app', '', "SELECT GET_LOCK('gate $kill', 60) /* the first $kill */");
    my $stays = $herd->add('app', '', "SELECT SLEEP(600) /* the first $kill, too */");
    my $run = start_script(<<"LUA", '--apply');
local plan = assert(das.preview{info = "the first $kill"}):plan{kill = "$kill", reason = "test"}
print("planned" .. (" "):rep(8192)) -- long enough to be written at once
repeat until assert(das.preview{info = "the second $kill"}).total_count == 1
local report = assert(plan:apply())
$print
LUA
    ok wait_for(sub { Das::so_far($run) =~ /planned/ }), "$kill: a plan is made"
        or diag explain das_finish($run);
    is $herd->say(1, "DO RELEASE_LOCK('gate $kill')"), 'ok', 'the gate opens';
    is $herd->say(2, "SELECT SLEEP(600) /* the second $kill */"), 'ok', 'the first statement ends by itself';
    my $r = das_finish($run);
    like $r->{out}, qr/^$victim\tchanged$/m, 'a victim that moved on is "changed"' or diag $r->{err};
    like $r->{out}, qr/^$stays\tkilled$/m, 'the one that did not is killed';
    is $r->{exit}, 0, 'nothing failed: that statement is over either way';
    is statement($victim), "SELECT SLEEP(600) /* the second $kill */", 'the victim that moved on lives';
}

# --- a statement ends, the session lives ------------------------------------------------------
{
    my $herd = Herd->new($db->{socket});
    my $id = $herd->add('app', '', 'SELECT SLEEP(600) /* one */');
    my $bystander = $herd->add('app', '', 'SELECT SLEEP(600) /* two */');
    my $lua = <<"LUA";
local report = assert(assert(das.preview{info = "/* one */"}):plan{kill = "query", reason = "test"}:apply())
$print
LUA
    my $r = das_script($url, $lua);
    like $r->{out}, qr/^$id\tdry_run$/m, 'without --apply nothing happens' or diag $r->{err};
    is statement($id), 'SELECT SLEEP(600) /* one */', 'really nothing';
    $r = das_script($url, $lua, '--apply');
    is $r->{out}, "$id\tkilled\n", 'kill = "query" ends the statement' or diag $r->{err};
    # SLEEP() that is killed ends with 1 or with an error, as the version has it
    like $herd->say(1, 'SELECT SLEEP(600) /* three */'), qr/^(ok|error 1317)/, 'which the client sees';
    is statement($id), 'SELECT SLEEP(600) /* three */', 'and the session goes on';
    is statement($bystander), 'SELECT SLEEP(600) /* two */', 'nobody else is hit';

    $lua =~ s/query"/connection"/;
    $lua =~ s/one/three/;
    $r = das_script($url, $lua, '--apply');
    is $r->{out}, "$id\tkilled\n", 'kill = "connection" ends the session' or diag $r->{err};
    ok wait_for(sub { statement($id) eq '' }), 'it is gone';
    is statement($bystander), 'SELECT SLEEP(600) /* two */', 'nobody else is hit';
}

# --- auto: by what the session does -------------------------------------------------------------
{
    my $herd = Herd->new($db->{socket});
    my $busy = $herd->add('app', 'd', 'SELECT SLEEP(600) /* busy */');
    my $idle = $herd->add('app', 'd', '');
    my $open = $herd->add('app', 'd', 'START TRANSACTION');
    is $herd->say(3, 'UPDATE t SET a = 2'), 'ok', 'a transaction';
    is $herd->say(3, 'SELECT SLEEP(600) /* in a transaction */'), 'ok', 'with a statement';
    # InnoDB looks anew only when nobody has asked it for 0.1 s
    my $seen = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = $open";
    ok wait_for(sub { sleep 0.2; statement($open) =~ /in a trans/ && $db->sql($seen) == 1 }), 'that runs';
    my $r = das_script($url, <<"LUA", '--apply');
local report = assert(assert(das.preview{user = "app"}):plan{kill = "auto", reason = "test"}:apply())
$print
LUA
    like $r->{out}, qr/^$_\tkilled$/m, 'auto kills all' or diag $r->{err} for $busy, $idle, $open;
    ok wait_for(sub { statement($idle) eq '' && statement($open) eq '' }),
        'the idle session and the one in a transaction lose their connection';
    like $herd->say(1, 'SELECT SLEEP(600) /* again */'), qr/^(ok|error 1317)/,
        'the busy one loses its statement';
    is statement($busy), 'SELECT SLEEP(600) /* again */', 'and lives';
    is $db->sql('SELECT a FROM d.t'), 1, 'the transaction was rolled back';
}

# --- never: our own, the server's, replication -------------------------------------------------
{
    $db->sql("CREATE USER repl\@localhost; GRANT REPLICATION SLAVE ON *.* TO repl\@localhost;
        SET GLOBAL event_scheduler = ON");
    my $replica = open(my $binlog, '-|', 'mariadb-binlog', '--no-defaults', '-urepl', '-S', $db->{socket},
        '--read-from-remote-server', '--stop-never', 'binlog.000001');
    my $dump = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'";
    ok wait_for(sub { $db->sql($dump) == 1 }), 'somebody reads the binary log';
    my $herd = Herd->new($db->{socket});
    my $app = $herd->add('app', '', '');
    my $before = $db->sql("SELECT GROUP_CONCAT(ID ORDER BY ID) FROM information_schema.PROCESSLIST
        WHERE USER IN ('event_scheduler', 'system user')");
    my $r = das_script($url, <<"LUA", '--apply');
local report = assert(assert(das.preview{all = true}):plan{kill = "connection", reason = "test"}:apply())
for _, o in ipairs(report.outcomes) do print(o.user or "", o.outcome) end
LUA
    like $r->{out}, qr/^das\tprotected$/m, 'das does not kill itself' or diag $r->{err};
    like $r->{out}, qr/^event_scheduler\tprotected$/m, 'nor the event scheduler';
    like $r->{out}, qr/^repl\tprotected$/m, 'nor replication';
    like $r->{out}, qr/^app\tkilled$/m, 'but the rest';
    is $db->sql($dump), 1, 'the binary log is still read';
    is $db->sql("SELECT GROUP_CONCAT(ID ORDER BY ID) FROM information_schema.PROCESSLIST
        WHERE USER IN ('event_scheduler', 'system user')"), $before, 'the server\'s own threads live';
    kill 'TERM', $replica;
    close $binlog;
}

done_testing;
