#!/usr/bin/perl
# shop.pl - makes tests/samples/shop.das: five minutes of a MariaDB under a load that has all the
# trouble there is: long selects, a pile-up behind a row lock, idle transactions, a stampede, a
# backup that takes long and is meant to.
#
#     DAS=build/das BUILD=build perl -Itests/e2e/lib tests/samples/make/shop.pl tests/samples/shop.das
#
# It takes five minutes and needs build/tests/e2e/herd. What happens when is in @story; the ages in
# the recording vary by a second from one making to the next.
use strict;
use warnings;
use Time::HiRes qw(sleep time);
use Herd;
use MariaDB;

my $out = shift // die "which file?\n";
my $seconds = 300;
my $db = MariaDB->new(args => ['--innodb-lock-wait-timeout=200']);
$db->sql(<<'SQL');
CREATE DATABASE shop;
USE shop;
CREATE TABLE shop.orders(id INT PRIMARY KEY, customer INT, total DECIMAL(9,2), day DATE) ENGINE=InnoDB;
INSERT INTO shop.orders SELECT seq, seq % 40, seq * 1.25, '2026-11-01' FROM seq_1_to_400;
CREATE TABLE shop.stock(sku INT PRIMARY KEY, qty INT) ENGINE=InnoDB;
INSERT INTO shop.stock SELECT seq, 1000 FROM seq_1_to_50;
CREATE USER app@'%', web@'%', report@'%', batch@'%', backup@'%', das@'%';
GRANT ALL ON shop.* TO app@'%', web@'%', report@'%', batch@'%', backup@'%';
GRANT PROCESS ON *.* TO das@'%';
SQL

# A select that looks at rows slowly: so many seconds in all.
sub slow { my ($what, $tail, $s) = @_; return sprintf "select %s from shop.orders where sleep(%g) = 0 %s limit 100", $what, $s / 400, $tail }

my @story;    # [second, connection, statement]
sub at { my ($second, $who, $sql) = @_; push @story, [$second, $who, $sql] }

# Nobody minds these: ten connections of the application, a short statement now and then.
srand 7;
for my $n (1 .. 10) {
    for (my $t = 1 + rand 3; $t < $seconds - 3; $t += 2 + rand 4) {
        next if $n > 5 && ($t > 30 && $t < 100 || $t > 196 && $t < 240);    # waiting, see below
        at($t, "app$n", sprintf 'select id, total from shop.orders where customer = %d and sleep(0.0%d) = 0',
            1 + rand 40, 1 + rand 9);
    }
}
# Reports: a long one, two that end just after half a minute, one that goes on to the end.
at(5, 'report1', slow('customer, sum(total)', 'group by customer', 70));
at(125, 'report1', slow('customer, avg(total)', 'group by customer', 33));
at(145, 'report2', slow('day, count(*)', 'group by day', 32));
at(215, 'report2', slow('customer, max(total)', 'group by customer', 200));
# The nightly dump, through a prepared statement as some tools do it.
at(20, 'backup1', "prepare dump from 'select /* dump */ * from shop.orders where sleep(0.4) = 0'");
at(21, 'backup1', 'execute dump');
# A batch job that forgot to commit; five of the application wait for its row.
at(30, 'batch1', 'begin');
at(30.2, 'batch1', 'update shop.stock set qty = qty - 1 where sku = 1');
at(31 + $_, "app" . (5 + $_), "update shop.stock set qty = qty - 1 where sku = 1 /* order 77$_ */") for 1 .. 5;
at(95, 'batch1', 'commit');
# A cache fell over: fifteen connections ask the same.
at(108 + $_ / 10, "web$_", slow('/* home page */ id, total', "and id > $_", 9)) for 1 .. 15;
# Somebody went to lunch in a transaction that nobody waits for.
at(170, 'batch2', 'begin');
at(170.2, 'batch2', 'update shop.stock set qty = qty + 5 where sku = 30');
at(262, 'batch2', 'rollback');
# A slow change that holds a row, and three who wait for it.
at(196, 'batch1', 'update shop.stock set qty = qty + 1 where sku = 2 and sleep(38) = 0');
at(198 + $_, "app" . (5 + $_), "update shop.stock set qty = qty - 1 where sku = 2 /* order 88$_ */") for 1 .. 3;

my (%number, @queue);
my $herd = Herd->new($db->{socket});
for my $who (map({ "app$_" } 1 .. 10), map({ "web$_" } 1 .. 15), qw(report1 report2 backup1 batch1 batch2)) {
    my ($user) = $who =~ /^([a-z]+)/;
    $herd->add($user, 'shop', '') // die "$who: $herd->{error}\n";
    $number{$who} = $herd->{count};
}
unlink $out;
my $recorder = fork // die;
if (!$recorder) {
    my $name = 'shop';
    open my $conf, '>', "$db->{dir}/das.lua" or die;
    print $conf 'return { instances = { shop = "' . $db->url('das') . '" } }';
    close $conf;
    exec $ENV{DAS} || 'build/das', 'record', '--config', "$db->{dir}/das.lua", '-i', $name, '--every', '1s', '--for',
        "${seconds}s", '-o', $out or die;
}
my $start = time;
for (sort { $a->[0] <=> $b->[0] } @story) {
    my ($second, $who, $sql) = @$_;
    my $wait = $start + $second - time;
    sleep $wait if $wait > 0;
    last if time - $start > $seconds;
    $herd->say($number{$who}, $sql);
}
waitpid $recorder, 0;
my $failed = $?;
$db->stop('KILL');    # what still runs ends with it
exit($failed ? 1 : 0);
