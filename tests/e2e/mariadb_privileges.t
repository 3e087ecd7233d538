#!/usr/bin/perl
# A missing privilege is named, and das goes on with what it can see.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use MariaDB;
use Herd;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $db = MariaDB->new;
$db->sql(<<'SQL');
CREATE USER app@localhost;
CREATE USER nothing@localhost;
CREATE USER `o'look`@`local%`; GRANT PROCESS ON *.* TO `o'look`@`local%`;
CREATE USER killer@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO killer@localhost;
SQL
my $herd = Herd->new($db->{socket});
my $victim = $herd->add('app', '', 'SELECT SLEEP(600)');
my $own = $herd->add('nothing', '', 'SELECT SLEEP(601)');

my $r = das_json($db->url('nothing'), '--user', '%');
is $r->{exit}, 0, 'without PROCESS das goes on' or diag $r->{err};
is_deeply [ sort map { $_->{user} } @{ $r->{json}{processes} } ], [qw(nothing nothing)],
    'with its own sessions';
ok !$r->{json}{complete}, 'the list is not complete';
is scalar @{ $r->{json}{warnings} }, 1, 'one warning';
like $r->{json}{warnings}[0], qr/GRANT PROCESS ON \*\.\* TO 'nothing'\@'localhost'/, 'names the GRANT';
ok !defined $r->{json}{processes}[0]{trx_time}, 'transactions are unknown';
$r = das_json($db->url('nothing'), '--user', 'app');
is $r->{json}{total_count}, 0, 'a filter on somebody else finds nothing';
like "@{ $r->{json}{warnings} }", qr/GRANT PROCESS/, 'and still says why';

my $lua = <<'LUA';
local found = assert(das.preview{user = "app"})
local report = assert(found:plan{kill = "%s", reason = "test"}:apply())
for _, o in ipairs(report.outcomes) do print(o.id, o.outcome, o.note or "") end
LUA
for my $kill (qw(query connection)) {
    $r = das_script($db->url("o'look"), sprintf($lua, $kill), '--apply');
    like $r->{out} . $r->{err}, qr/^$victim\tfailed\b/m, "kill=$kill without the privilege fails";
    like $r->{out} . $r->{err}, qr/GRANT CONNECTION ADMIN ON \*\.\* TO 'o''look'\@'local%'/,
        'and names the GRANT';
    isnt $r->{exit}, 0, 'the exit code tells';
}
is $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $victim"), 1,
    'the victim lives';
$r = das_script($db->url('killer'), sprintf($lua, 'connection'), '--apply');
like $r->{out}, qr/^$victim\tkilled\b/m, 'with the privilege it dies' or diag $r->{err};
is $r->{exit}, 0, 'and all is well';

done_testing;
