#!/usr/bin/perl
# What das lists of a MariaDB is what the server has: every field, every byte.
use strict;
use warnings;
use utf8;
use lib 'tests/e2e/lib';
use Test::More;
use MariaDB;
use Herd;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);

my $db = MariaDB->new;
$db->sql(<<'SQL');
CREATE DATABASE orders;
CREATE TABLE orders.t (a INT) ENGINE=InnoDB;
INSERT INTO orders.t VALUES (1), (2), (3);
CREATE USER app@localhost; GRANT ALL ON *.* TO app@localhost;
CREATE USER app@'127.0.0.1'; GRANT ALL ON *.* TO app@'127.0.0.1';
CREATE USER secret@localhost IDENTIFIED BY 'pa ss#"w\'ord'; GRANT PROCESS ON *.* TO secret@localhost;
SQL
my $herd = Herd->new($db->{socket});
my $far = Herd->new("127.0.0.1:$db->{port}");
my $emoji = "SELECT SLEEP(600) /* na\x{ef}ve \x{1F600} \t tab */";
my $query = $herd->add('app', 'orders', $emoji);
my $sleep = $herd->add('app', '', '');
my $trx = $herd->add('app', 'orders', 'START TRANSACTION');
is $herd->say($herd->{count}, 'UPDATE t SET a = a + 1'), 'ok', 'a transaction is open';
is $herd->say($herd->{count}, ''), 'ok', 'and idle';
my $view = $herd->add('app', 'orders', 'SELECT a, SLEEP(600) FROM t');
my $remote = $far->add('app', 'orders', 'SELECT SLEEP(600), 2');
ok $query && $sleep && $trx && $remote, 'sessions to look at' or diag $herd->{error}, $far->{error};
sleep 2;

sub by_id { return { map { $_->{id} => $_ } @{ $_[0]{json}{processes} || [] } } }

my $r = das_json($db->url('root'), '--user', '%');
is $r->{exit}, 0, 'das preview works' or diag $r->{err};
my $j = $r->{json};
my $s = by_id($r);
my $want = $db->sql('SELECT COUNT(*) FROM information_schema.PROCESSLIST') ;
is $j->{total_count}, scalar @{ $j->{processes} }, 'total_count is the number of sessions';
is $j->{total_count}, $want, 'as many as the client sees';
ok $j->{complete}, 'the list is complete';
is_deeply $j->{warnings}, [], 'nothing to warn about';
cmp_ok abs($j->{data_sync_time} - $db->sql('SELECT UNIX_TIMESTAMP()')), '<=', 5,
    'data_sync_time is the server\'s clock';

is $s->{$query}{user}, 'app', 'user';
is $s->{$query}{host}, 'localhost', 'host over the socket';
is $s->{$query}{db}, 'orders', 'db';
is $s->{$query}{command}, 'Query', 'command';
is $s->{$query}{sql_info}, $emoji, 'SQL text keeps its four-byte characters';
cmp_ok $s->{$query}{state_duration}, '>=', 1, 'state_duration';
cmp_ok $s->{$query}{time_ms}, '>=', 1000, 'time_ms is in milliseconds';
cmp_ok $s->{$query}{time_ms}, '<', 60000, 'and not in microseconds';
cmp_ok $s->{$query}{query_id}, '>', 0, 'query_id';
is $s->{$sleep}{command}, 'Sleep', 'an idle session';
ok !defined $s->{$sleep}{db}, 'without a db';
ok !defined $s->{$sleep}{sql_info}, 'without SQL';
ok !defined $s->{$sleep}{trx_time}, 'outside a transaction';
is $s->{$trx}{command}, 'Sleep', 'an idle session in a transaction';
cmp_ok $s->{$trx}{trx_time}, '>=', 1, 'has its age';
is $s->{$trx}{rows_modified}, 3, 'and the rows it modified';
ok exists $s->{$view} && !defined $s->{$view}{trx_time}, 'a plain SELECT is no transaction';
like $s->{$remote}{host}, qr/^127\.0\.0\.1:\d+$/, 'host over TCP';

my %client = map { my @f = split /\t/; $f[0] => \@f } split /\n/, $db->sql(
    "SELECT ID, USER, HOST, COALESCE(DB, '-'), COMMAND, QUERY_ID FROM information_schema.PROCESSLIST");
for my $id ($query, $sleep, $trx, $view, $remote) {
    my $p = $s->{$id};
    is_deeply [ $p->{id}, $p->{user}, $p->{host}, $p->{db} // '-', $p->{command}, $p->{query_id} ],
        $client{$id}, "session $id is what the client sees";
}

# pushed down, and still the same
$r = das_json($db->url('root'), '--user', 'app', '--command', 'query', '--time', '1');
is_deeply [ sort keys %{ by_id($r) } ], [ sort $query, $remote, $view ], 'a filter of several criteria';
$r = das_json($db->url('root'), '--user', 'root');
like $r->{json}{processes}[0]{sql_info}, qr/ WHERE CAST\(USER AS BINARY\) = x'726f6f74'$/,
    'the server filters, by bytes';
$r = das_json($db->url('root'), '--user', 'APP');
is $r->{json}{total_count}, 0, 'names are case-sensitive, whatever the server\'s collation';
$r = das_json($db->url('root'), '--host', '127.0.0.1');
is_deeply [ keys %{ by_id($r) } ], [$remote], 'a host without its port';
$r = das_json($db->url('root'), '--info', 'sleep ~ 600 ~ tab');
is_deeply [ keys %{ by_id($r) } ], [$query], 'keywords in the SQL text';

# SQL text at the server's limit
my $long = 'SELECT SLEEP(600), "' . ('x' x 70000) . '"';
my $big = $herd->add('app', '', $long);
$r = das_json($db->url('root'), '--info', 'select');
is length(by_id($r)->{$big}{sql_info}), 65535, 'the server cuts SQL text at 64 KB';
like join(' ', @{ $r->{json}{warnings} }), qr/cuts SQL text at 65535 bytes: 1 session may/,
    'which is a warning';

# who we are
$r = das_json($db->url('secret'), '--user', 'app');
is $r->{exit}, 1, 'a missing password fails';
like $r->{err}, qr/Access denied.*password_file, password_env or ~\/\.my\.cnf/, 'with advice';
my $cnf = "[mysqld]\nuser=wrong\n# c\n[client]\nuser = secret\npassword = \"pa ss#\\\"w'ord\" # x\n";
$r = das_json({ env => { HOME => with_home('.my.cnf' => $cnf) } }, $db->url('secret'), '--user', 'app');
is $r->{exit}, 0, 'the password comes from ~/.my.cnf' or diag $r->{err};
my $url = $db->url('x');
$url =~ s/x@//;
my $home = with_home('.my.cnf' => $cnf);
$r = das_json({ env => { HOME => $home } }, $url, '--user', 'secret');
is $r->{json} && $r->{json}{total_count}, 1, 'and the user, when the URL names none' or diag $r->{err};
chmod 0644, "$home/.my.cnf";
$r = das_json({ env => { HOME => $home } }, $url, '--user', 'secret');
isnt $r->{exit}, 0, 'a password that everybody can read is refused';
like $r->{err}, qr/chmod 600/, 'with advice';
unlike $r->{err}, qr/pa ss/, 'and not shown';
$r = das_json({ env => { HOME => with_home('.my.cnf' => "[client]\npassword=wrong\n") } },
    $db->url('secret'), '--user', 'app');
is $r->{exit}, 1, 'a wrong password fails';
like $r->{err}, qr/Access denied/, 'and is called that';
unlike $r->{err}, qr/wrong/, 'without showing it';

# by name, from the configuration
my $dir = with_home('das.lua' => sprintf('return { instances = {
    file = { source = "%1$s", password_file = "%2$s/pw" }, env = { source = "%1$s", password_env = "DB_PW" } } }',
    $db->url('secret'), $home), pw => '');
for my $way (qw(file env)) {
    open my $fh, '>', "$home/pw" or die;
    print $fh "pa ss#\"w'ord\nsecond line\n";
    close $fh;
    chmod 0600, "$home/pw";
    my $run = sub { das_json({ env => { DB_PW => "pa ss#\"w'ord" } }, $way, '--config', "$dir/das.lua", '--user', 'app') };
    $r = $run->();
    is $r->{exit}, 0, "password_$way" or diag $r->{err};
    is $r->{json}{instance}, $way, 'the instance goes by its name';
    next if $way eq 'env';
    chmod 0644, "$home/pw";
    $r = $run->();
    isnt $r->{exit}, 0, 'a password file that everybody can read is refused';
    like $r->{err}, qr/file: password_file: .*chmod 600/, 'naming instance and cure';
    unlike $r->{err}, qr/pa ss/, 'not the secret';
}
$r = das('preview', '-i', 'env', '--config', "$dir/das.lua", '--user', 'app');
isnt $r->{exit}, 0, 'a variable that is not set';
like $r->{err}, qr/DB_PW is not set/, 'is named';

$r = das('preview', '-i', 'mysql://root:hunter2@localhost/', '--user', 'app');
is $r->{exit}, 2, 'a password in the URL is a usage error';
like $r->{err}, qr/password_file/, 'that says where it belongs';
unlike $r->{err} . $r->{out}, qr/hunter2/, 'and does not repeat it';
$r = das('preview', '-i', 'mysql://root@localhost/?sokcet=/x', '--user', 'app');
is $r->{exit}, 2, 'an unknown URL parameter is a usage error';
like $r->{err}, qr/did you mean "socket"/, 'with a suggestion';

done_testing;
