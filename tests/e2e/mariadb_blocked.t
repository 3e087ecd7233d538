#!/usr/bin/perl
# Who waits for whose lock: blocked_by against a real MariaDB, and what it costs.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Time::HiRes qw(sleep);
use MariaDB;
use Herd;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $db = MariaDB->new;
$db->sql(<<'SQL');
CREATE DATABASE shop;
CREATE TABLE shop.t (a INT PRIMARY KEY, b INT) ENGINE=InnoDB;
INSERT INTO shop.t VALUES (1, 0), (2, 0), (3, 0), (4, 0);
CREATE USER blind@localhost; GRANT SELECT ON shop.* TO blind@localhost;
CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;
SQL
my $herd = Herd->new($db->{socket});

# A session whose transaction runs the statements; with a last one that does not end, it stays.
sub session {
    my ($stuck, @sql) = @_;
    my $id = $herd->add('root', 'shop', 'START TRANSACTION') or die $herd->{error};
    my $n = $herd->{count};
    for my $sql (@sql) { $herd->say($n, $sql) }
    is $herd->say($n, ''), 'ok', "@sql" unless $stuck;
    return $id;
}

sub waiting { return $db->sql("SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'") }

sub until_waiting {
    my ($n) = @_;
    for (1 .. 200) { last if waiting() == $n; sleep 0.15 }
    is waiting(), $n, "$n wait";
}

sub listed {
    my ($user) = @_;
    my $r = das_json($db->url($user || 'das'), '--user', '%');
    is $r->{exit}, 0, 'das preview' or diag $r->{err};
    return ($r, map { $_->{id} => $_ } @{ $r->{json}{processes} });
}

# --- quiet -------------------------------------------------------------------------------------
sub statements {
    $db->sql('TRUNCATE mysql.general_log; SET GLOBAL general_log = 1');
    my ($r) = listed();
    $db->sql('SET GLOBAL general_log = 0');
    return split /\n/, $db->sql("SELECT REPLACE(CONVERT(argument USING utf8mb4), '\n', ' ') FROM mysql.general_log
        WHERE user_host LIKE 'das%' AND command_type = 'Query'");
}
$db->sql("SET GLOBAL log_output = 'TABLE'");
my $holder = session(0, 'SELECT * FROM t WHERE a = 1 FOR UPDATE');
my $quiet = statements();
is scalar(grep { /INNODB_LOCK_WAITS/ } statements()), 0, 'who blocks whom is not asked while nobody waits';
my ($r, %s) = listed();
ok exists $s{$holder}{blocked_by} && !defined $s{$holder}{blocked_by}, 'a holder is blocked by nobody';

# --- a pile-up -----------------------------------------------------------------------------------
my $first = session(1, 'UPDATE t SET b = 1 WHERE a = 2', 'UPDATE t SET b = b + 1 WHERE a = 1');
until_waiting(1);
my $second = session(1, 'SELECT * FROM t WHERE a = 1 FOR UPDATE');
until_waiting(2);
my $behind = $herd->add('root', 'shop', 'UPDATE t SET b = 9 WHERE a = 2');
until_waiting(3);
my $reader = session(1, 'SELECT * FROM t WHERE a = 2 LOCK IN SHARE MODE');
until_waiting(4);
sleep 0.3;    # InnoDB answers from what it knew for 0.1 s
($r, %s) = listed();
is $s{$first}{blocked_by}, $holder, 'the first waits for the holder';
is $s{$second}{blocked_by}, $holder, 'the second too, though the first is in front of it';
is $s{$behind}{blocked_by}, $first, 'one outside a transaction waits for the first';
is $s{$reader}{blocked_by}, $first, 'and so does a reader, whose transaction has no number';
ok exists $s{$holder}{blocked_by} && !defined $s{$holder}{blocked_by}, 'the holder waits for nobody';
is $s{$holder}{command}, 'Sleep', 'and is idle';
my ($own) = grep { $_->{user} eq 'das' } values %s;
ok exists $own->{blocked_by} && !defined $own->{blocked_by}, 'who has no transaction waits for nobody';
is_deeply $r->{json}{warnings}, [], 'nothing to warn about';
my @busy = statements();
is scalar(grep { /INNODB_LOCK_WAITS/ } @busy), 1, 'one statement asks who blocks whom';
is scalar(@busy), $quiet + 1, '... and it is the only one more';
like das('preview', '-i', $db->url('das'), '--db', 'shop')->{out}, qr/^id .* blocked_by .*\n(?:.*\n)*$first .* $holder /m,
    'the table shows it';

my $lua = <<'LUA';
local found = das.preview{ db = "shop" }
local waits, n = {}, {}
for _, s in ipairs(found.processes) do waits[s.id] = s.blocked_by end
for id in pairs(waits) do
  local root, steps = id, 0
  while waits[root] and steps < 100 do root, steps = waits[root], steps + 1 end
  n[root] = (n[root] or 0) + 1
end
local roots = found:where(function(s) return n[s.id] ~= nil end)
for _, s in ipairs(roots.processes) do print(s.id, n[s.id]) end
LUA
is das_script($db->url('das'), $lua)->{out}, "$holder\t4\n", 'a policy finds who holds up everybody';

# --- what cannot be told -----------------------------------------------------------------------------
($r, %s) = listed('blind');
ok !(grep { exists $_->{blocked_by} } values %s), 'without PROCESS it is unknown';
like "@{ $r->{json}{warnings} }", qr/GRANT PROCESS/, 'which is a warning';
my @shared = map { session(0, 'SELECT * FROM t WHERE a = 3 LOCK IN SHARE MODE') } 1 .. 2;
my $writer = session(1, 'UPDATE t SET b = 1 WHERE a = 3');
until_waiting(5);
sleep 0.3;
($r, %s) = listed();
ok $s{$writer} && !exists $s{$writer}{blocked_by},
    'two transactions without a number: nobody can tell which of them is in the way';
$db->sql("KILL $shared[1]");
$db->sql("KILL $reader");
until_waiting(4);
sleep 0.3;
($r, %s) = listed();
is $s{$writer}{blocked_by}, $shared[0], 'one of them is known';

# --- the end of it -----------------------------------------------------------------------------------
$db->sql("KILL $holder");
for (1 .. 200) { ($r, %s) = listed(); last if !exists $s{$holder} && !$s{$first}{blocked_by}; sleep 0.15 }
ok exists $s{$first}{blocked_by} && !defined $s{$first}{blocked_by}, 'when the holder is gone, the first goes on';
is $s{$second}{blocked_by}, $first, '... and is in the way of the second';

done_testing;
