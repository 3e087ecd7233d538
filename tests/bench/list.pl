#!/usr/bin/perl
# list.pl N - writes a vertical process list of N sessions of a busy shop to standard output.
use strict;
use warnings;

my $n = shift // 100000;
my @users = (('app_rw') x 5, ('app_ro') x 3, 'report', 'batch', 'etl', 'root');
my @dbs = ('orders', 'shop', 'billing', 'NULL');
my @statements = (
    "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = %d AND o.state = 'open'",
    "UPDATE stock SET amount = amount - 1 WHERE product_id = %d AND amount > 0",
    "SELECT product_id, SUM(amount) FROM order_items\nWHERE created > '2026-01-01' AND shop_id = %d\nGROUP BY product_id ORDER BY 2 DESC LIMIT 100",
    "INSERT INTO audit_log (who, what, created) VALUES (%d, 'login', NOW())",
);
my $seed = 42;
sub roll { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return ($seed >> 8) % $_[0] }

binmode STDOUT;
for my $i (1 .. $n) {
    my $sleeps = roll(10) < 4;
    my $info = $sleeps ? 'NULL' : sprintf $statements[ roll(4) ], roll(1000000);
    printf "*************************** %d. row ***************************\n"
      . "      Id: %d\n    User: %s\n    Host: 10.%d.%d.%d:%d\n      db: %s\n Command: %s\n"
      . "    Time: %d\n   State: %s\n    Info: %s\nProgress: 0.000\n",
      $i, 1000 + $i, $users[ roll(scalar @users) ], roll(4), roll(8), 1 + roll(200), 20000 + roll(40000),
      $dbs[ roll(4) ], $sleeps ? 'Sleep' : 'Query', roll(100), $sleeps ? '' : 'Sending data', $info;
}
