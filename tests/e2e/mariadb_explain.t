#!/usr/bin/perl
# das explain on a real MariaDB: sessions that the server would not list for the policy's filter are
# told, and nothing is killed.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;
use MariaDB;
use Herd;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $db = MariaDB->new;
$db->sql("CREATE USER app\@localhost; CREATE USER das\@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das\@localhost;
    CREATE DATABASE shop; GRANT ALL ON shop.* TO app\@localhost; CREATE TABLE shop.t (a INT) ENGINE=InnoDB");
my $herd = Herd->new($db->{socket});
my $busy = $herd->add('app', 'shop', 'SELECT SLEEP(600)');
my $idle = $herd->add('app', 'shop', '');
my $trx = $herd->add('app', 'shop', 'START TRANSACTION');
is $herd->say($herd->{count}, 'INSERT INTO t VALUES (1)'), 'ok', 'a transaction';
is $herd->say($herd->{count}, ''), 'ok', '... that is idle';

my $dir = tempdir(CLEANUP => 1);
open my $fh, '>', "$dir/p.lua" or die;
print $fh <<'LUA';
local found = assert(das.preview{ user = "app", command = "Query", info = "sleep" })
found:plan{ kill = "connection", reason = "test" }:apply()
assert(das.preview{ user = "app", trx_time = 3600 })
LUA
close $fh;

my $r = das('explain', '-i', $db->url('das'), '--policy', "$dir/p.lua", '-o', 'json');
is $r->{exit}, 0, 'das explain' or diag $r->{err};
my $j = JSON::PP->new->decode($r->{out});
my %s = map { $_->{session}{id} => $_ } @{ $j->{sessions} };
is_deeply [ @{ $s{$busy} }{qw(fate preview plan)} ], [ 'dry_run', 1, 1 ], 'a victim of the dry run';
is $s{$idle}{fate}, 'out', 'a session that the filter would not have listed is told';
like $s{$idle}{why}, qr/^preview 2: trx_time >= 3600 s: none \(no open transaction\)$/, '... and the nearest way in';
like $s{$trx}{why}, qr/^preview 2: trx_time >= 3600 s: \d+ s \(3\d\d\d s too young\)$/, 'a near miss';
my ($own) = grep { $_->{session}{user} eq 'das' } values %s;
is $own->{fate}, 'out', 'das itself is in the list, too';
is $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID IN ($busy, $idle, $trx)"), 3, 'nobody died';
$r = das('explain', '-i', $db->url('das'), '--policy', "$dir/p.lua", '--session', $trx);
like $r->{out}, qr/^preview 1, session $trx: out\n.*^preview 2, session $trx: out\n/ms, '--session';
is das('audit', 'list')->{out}, '', 'nothing is in the journal';

done_testing;
