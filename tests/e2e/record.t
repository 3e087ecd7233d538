#!/usr/bin/perl
# das record against real servers: what is written survives kill -9, an instance that hangs delays
# nobody, gaps are told, files rotate, and --redact leaves no literal.
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

my $dir = tempdir(CLEANUP => 1);
my $db = MariaDB->new;
my $other = MariaDB->new;
$db->sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT) ENGINE=InnoDB; INSERT INTO shop.t VALUES (1); CREATE USER app; GRANT ALL ON *.* TO app');
my $herd = Herd->new($db->{socket});
my $secret = $herd->add('app', 'shop', "SELECT SLEEP(600), 'topsecret', 47114711");
my $trx = $herd->add('app', 'shop', 'START TRANSACTION');
$herd->say($herd->{count}, 'UPDATE t SET a = a + 1');
ok $secret && $trx, 'sessions to look at' or diag $herd->{error};

my ($one, $two) = ($db->url('root'), $other->url('root'));

sub lines {
    my (@files) = @_;
    my $r = das('record', 'cat', @files);
    return ($r, map { decode_json($_) } split /\n/, $r->{out});
}

sub lists_of {
    my ($path, $instance) = @_;
    return 0 unless -s $path;
    my $r = das('record', 'info', '-o', 'json', $path);
    my $info = eval { decode_json($r->{out}) } or return 0;
    my ($share) = grep { $_->{instance} eq $instance } @{ $info->{instances} };
    return $share ? $share->{snapshots} : 0;
}

sub size { return -s $_[0] || 0 }

# --- one instance, for some time ------------------------------------------------------------------
my $file = "$dir/a.das";
my $r = das('record', '-i', $one, '--every', '50ms', '--for', '1s', '-o', $file);
is $r->{exit}, 0, 'das record ends by itself' or diag $r->{err};
is $r->{out}, '', 'and prints nothing on stdout';
like $r->{err}, qr/^das record: \d+ lists of 1 instance in 1\.\d s, \d+ sessions, [\d.]+ K?B \([\d.]+ bytes a session\)/m,
    'but a summary on stderr';
is((stat $file)[2] & 0777, 0600, 'only its owner may read the file');
my ($cat, @lists) = lines($file);
is $cat->{exit}, 0, 'cat' or diag $cat->{err};
cmp_ok scalar @lists, '>', 2, 'has several lists';
my %session = map { $_->{id} => $_ } @{ $lists[-1]{processes} };
is $session{$secret}{sql_info}, "SELECT SLEEP(600), 'topsecret', 47114711", 'the statement is there';
is $session{$secret}{user}, 'app', 'and its user';
is $session{$trx}{rows_modified}, 1, 'and what a transaction did';
ok exists $session{$secret}{trx_time} && !defined $session{$secret}{trx_time}, 'outside a transaction that is absent';
is_deeply [ grep { $lists[$_]{taken_ms} <= $lists[ $_ - 1 ]{taken_ms} } 1 .. $#lists ], [], 'time goes on';
like $lists[0]{server}, qr/\S/, 'the server has its identity';
ok !grep({ $_ == $secret } @{ $lists[0]{own_ids} }), 'other sessions are not das\'s own';
ok scalar @{ $lists[0]{own_ids} }, 'das\'s own session is known';

# --- the same for every reader --------------------------------------------------------------------
$r = das_json("file:$file", '--id', $secret);
is $r->{json}{total_count}, 1, 'das preview reads the file' or diag $r->{err};
open my $out, '>', "$dir/a.jsonl" or die;
print $out $cat->{out};
close $out;
is das('record', 'cat', "$dir/a.jsonl")->{out}, $cat->{out}, 'what cat printed is read again, and printed as before';

# --- appending ------------------------------------------------------------------------------------
my $before = @lists;
is das('record', '-i', $one, '--every', '50ms', '--for', '300ms', '-o', $file, '--quiet')->{exit}, 0, 'a second run appends';
cmp_ok lists_of($file, $one), '>', $before, 'what was there stays';
my $whole = lists_of($file, $one);
truncate $file, size($file) - 7;
$r = das('record', 'cat', $file);
is $r->{exit}, 0, 'a file that ends in the middle of a block is read';
like $r->{err}, qr/the last block is half-written and was left out/, 'what is left out is told';
$r = das('record', '-i', $one, '--for', '100ms', '-o', $file);
is $r->{exit}, 0, 'and appended to';
like $r->{err}, qr/the last block was half-written: \d+ bytes from byte \d+ on were cut off/, 'which says what it cut off';
unlike das('record', 'cat', $file)->{err}, qr/half-written/, 'then it is whole again';

# --- kill -9 --------------------------------------------------------------------------------------
$file = "$dir/killed.das";
my $run = das_start('record', '-i', $one, '--every', '20ms', '--flush', '100ms', '-o', $file);
ok wait_for(sub { lists_of($file, $one) > 5 }), 'blocks are written while it runs';
kill 'KILL', $run->{pid};
is das_finish($run)->{exit}, 'signal 9', 'das record is killed';
($cat, @lists) = lines($file);
is $cat->{exit}, 0, 'the file is readable' or diag $cat->{err};
cmp_ok scalar @lists, '>', 5, 'all that was written is there';

# --- an orderly end -------------------------------------------------------------------------------
for my $signal ('TERM', 'INT') {
    $file = "$dir/$signal.das";
    $run = das_start('record', '-i', $one, '--every', '20ms', '--flush', '1h', '-o', $file);
    ok wait_for(sub { size($file) >= 16 }), 'it runs';
    select undef, undef, undef, 0.3;
    is size($file), 16, 'nothing is due to be written';
    kill $signal, $run->{pid};
    is das_finish($run)->{exit}, 0, "SIG$signal ends it";
    cmp_ok lists_of($file, $one), '>', 1, 'with everything written';
}

# --- an instance that hangs -----------------------------------------------------------------------
$file = "$dir/hang.das";
$run = das_start('record', '-i', $one, '-i', $two, '--every', '50ms', '--flush', '100ms', '-o', $file);
ok wait_for(sub { lists_of($file, $one) > 2 && lists_of($file, $two) > 2 }), 'two instances';
$other->signal('STOP');
my $hangs_at = lists_of($file, $two);
my $goes_at = lists_of($file, $one);
ok wait_for(sub { lists_of($file, $one) > $goes_at + 20 }), 'one goes on while the other hangs';
cmp_ok lists_of($file, $two), '<=', $hangs_at + 4, 'of which nothing comes';
$other->signal('CONT');
ok wait_for(sub { lists_of($file, $two) > $hangs_at + 10 }), 'until it wakes up';

# --- one that is gone -----------------------------------------------------------------------------
$other->stop;
ok wait_for(sub { Das::slurp($run->{err}) =~ /trying again/ }), 'a server that is gone is said';
$goes_at = lists_of($file, $one);
ok wait_for(sub { lists_of($file, $one) > $goes_at + 20 }), 'the other goes on';
$other->start;
ok wait_for(sub { Das::slurp($run->{err}) =~ /is back after/ }, 60), 'its return is said';
my $back = lists_of($file, $two);
ok wait_for(sub { lists_of($file, $two) > $back }), 'and it is recorded again';
kill 'INT', $run->{pid};
$r = das_finish($run);
is $r->{exit}, 0, 'all is well in the end';
is scalar(() = $r->{err} =~ /trying again/g), 1, 'the failure was said once';
like $r->{err}, qr/looks? missed/, 'looks that could not be made are counted';
like $r->{err}, qr/looks? failed/, 'also those that failed';
($cat, @lists) = lines($file);
is scalar(grep { $_->{instance} eq $two && "@{ $_->{warnings} }" =~ /nothing was recorded for [\d.]+ s before this: / } @lists), 1,
    'the recording tells the gap';

$r = das('record', '-i', "mysql://root\@127.0.0.1:1/", '-i', $one, '--every', '50ms', '--for', '300ms', '-o', "$dir/part.das");
is $r->{exit}, 4, 'one that never answered makes it partial' or diag $r->{err};
$r = das('record', '-i', "mysql://root\@127.0.0.1:1/", '--every', '50ms', '--for', '300ms', '-o', "$dir/none.das");
is $r->{exit}, 1, 'none at all is a failure';

# --- redaction ------------------------------------------------------------------------------------
$file = "$dir/redacted.das";
$r = das('record', '-i', $one, '--every', '50ms', '--for', '300ms', '--redact', '-o', $file);
is $r->{exit}, 0, 'redacted' or diag $r->{err};
$cat = das('record', 'cat', $file);
unlike $cat->{out}, qr/topsecret|47114711/, 'no literal is left';
like $cat->{out}, qr/select sleep\(\?\),\?/, 'the shape of the statement is' or diag substr $cat->{out}, 0, 2000;

# --- rotation -------------------------------------------------------------------------------------
mkdir "$dir/rotated";
open $out, '>', "$dir/rotated/week-of-somebody-else.das" or die;
close $out;
$r = das('record', '-i', $one, '--every', '20ms', '--flush', '20ms', '--rotate-size', '2KB', '--keep', '3', '--for', '2s', '-o',
    "$dir/rotated/week.das");
is $r->{exit}, 0, 'rotated' or diag $r->{err};
my @files = sort glob "$dir/rotated/week-2*.das";
is scalar @files, 3, 'as many files as may be kept';
is_deeply [ grep { !m{/week-\d{8}T\d{6}\.\d{3}Z\.das$} } @files ], [], 'with the time in their names';
ok -e "$dir/rotated/week-of-somebody-else.das", 'what is not a file of this recording stays';
ok !-e "$dir/rotated/week.das", 'there is none without a time';
cmp_ok size($files[0]), '<=', 2048 + 200, 'not larger than asked for';
($cat, @lists) = lines(@files);
is $cat->{exit}, 0, 'all of them are read';
is_deeply [ grep { $lists[$_]{taken_ms} <= $lists[ $_ - 1 ]{taken_ms} } 1 .. $#lists ], [], 'and follow each other';

# --- instances without a server -------------------------------------------------------------------
$r = das('record', '-i', 'mem:tests/samples/recording.jsonl', '--every', '50ms', '--for', '1500ms', '-o', "$dir/mem.das");
is $r->{exit}, 0, 'mem:' or diag $r->{err};
($cat, @lists) = lines("$dir/mem.das");
my @age = map { my ($s) = grep { $_->{id} == 2100 } @{ $_->{processes} }; $s->{state_duration} } @lists;
cmp_ok $age[-1], '>', $age[0], 'its sessions grow older';
$r = das('preview', '-i', "mem:$dir/mem.das", '--all');
is $r->{exit}, 0, 'a recording is an instance in memory as well' or diag $r->{err};

# --- what is refused ------------------------------------------------------------------------------
for my $case (
    [ [ '-i', $one ], qr/no file: say -o FILE/ ],
    [ [ '-o', "$dir/x.das" ], qr/no instance: say -i INSTANCE/ ],
    [ [ '-i', $one, '-o', "$dir/x.das", '--every', '1ms' ], qr/--every: expected an age of at least 10 ms/ ],
    [ [ '-i', $one, '-o', "$dir/x.das", '--keep', '3' ], qr/--keep: expected --rotate-size or --rotate-age/ ],
    [ [ '-i', $one, '-o', "$dir/x.das", '--rotate-size', 'big' ], qr/--rotate-size: expected a size such as 100MB/ ],
    [ [ '-i', $one, '-o', "$dir/x.das", 'more' ], qr/"more" is no option/ ],
    [ [ 'cat' ], qr/expected a file/ ],
) {
    my ($args, $want) = @$case;
    $r = das('record', @$args);
    is $r->{exit}, 2, "das record @$args is refused";
    like $r->{err}, $want, 'and says why';
}
ok !-e "$dir/x.das", 'nothing is made';
$r = das('record', '-i', $one, '--for', '100ms', '-o', 'README.md');
is $r->{exit}, 1, 'another file is not touched';
like $r->{err}, qr/README\.md: is no recording in das's binary form/, 'and says why';

done_testing;
