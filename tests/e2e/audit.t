#!/usr/bin/perl
# audit.t - das audit as a person uses it: what it shows, what it finds, what it refuses. The journal
# is written by das itself (acknowledging) and by journal_write, which also changes it past das.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use JSON::PP;

my $build = getcwd() . '/' . ($ENV{BUILD} || 'build');
$build = $ENV{BUILD} if ($ENV{BUILD} || '') =~ m{^/};
my $das = $ENV{DAS} || "$build/das";
my $dir = tempdir(CLEANUP => 1);
my $state = "$dir/state";
$ENV{HOME} = $dir;
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME STATE_DIRECTORY)};
$ENV{COLUMNS} = 120;
my $start = getcwd();
chdir $dir or die;

sub get { open my $f, '<', $_[0] or die "$_[0]: $!"; local $/; return <$f> // '' }
sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }

# audit(ARGS...): exit code, standard output, standard error.
sub audit {
    my @args = map { (my $a = $_) =~ s/'/'\\''/g; "'$a'" } @_;
    my $out = `$das audit @args 2>err`;
    return ($? >> 8, $out, get('err'));
}

sub fails {
    my ($want, $message, @args) = @_;
    my ($code, $out, $err) = audit(@args);
    is($code, $want, "das audit @args: exit $want");
    is($out, '', 'nothing on standard output');
    like($err, $message, 'a message that helps');
}

# Records: "KIND MEMBERS" or "outcome:SEQ MEMBERS", written by a run of their own. With die the run
# ends like after a power cut.
sub journal {
    my ($where, $how, @lines) = @_;
    open my $to, '|-', "$build/tests/e2e/journal_write", $where, $how or die;
    print $to "$_\n" for @lines;
    close $to;
    return $?;
}

sub sql { my ($text) = @_; journal($state, 'sql', $text) == 0 or die "$text\n" }    # past das

# --- nothing there yet ---------------------------------------------------------------------------
my ($code, $out, $err) = audit('list', '--state', $state);
is("$code $out", '0 ', 'no journal: an empty list');
like($err, qr/^das audit: no journal in \Q$state\E yet$/, 'that says so');
ok(!-e $state, 'and makes nothing');
fails(1, qr/no journal in/, @$_, '--state', $state) for ['verify'], ['show', 1], ['export'], ['acknowledge', 2, 'x'];
ok(!-e $state, 'still nothing');

# --- what it shows ----------------------------------------------------------------------------------
my $plan = 'ab' x 32;
is(journal($state, 'end', "apply \"plan\":\"$plan\",\"instance\":\"orders\"",
    'intent "id":12,"user":"app\u001b[31m","sql":"select 1\nfrom \u202edual"',
    'outcome:3 "outcome":"killed","after_ms":4', 'intent "id":13'), 0, 'a run that ends with an open intent');
is(journal($state, 'die', 'intent "id":14,"user":"web"') & 127, 9, 'and one that dies');

($code, $out) = audit('list', '--state', $state);
is($code, 0, 'das audit list');
my @rows = split /\n/, $out;
is(scalar @rows, 8, 'a head line and seven records') or diag($out);
like($rows[0], qr/^seq\s+time\s+kind\s+run\s+what$/, 'the head');
like($rows[3], qr/^3 +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  intent +[0-9a-f]{16}  id=12 user="app\\u001b\[31m"/, 'an intent');
like($rows[6], qr/outcome .* intent=5 outcome="unknown" note="das ended be/, 'the open one was found by the next run');
unlike($out, qr/[^\n -~]/, 'no character that drives a terminal');
is((grep { length > 120 } @rows), 0, 'no line is longer than the terminal');
($code, $out) = audit('list', '--unknown', '--state', $state);
like($out, qr/^5 .*id=13\n7 .*id=14 user="web"$/m, 'two kills that nobody knows about, one of a run that has just died');
($code, $out) = audit('list', '-n', 2, '--state', $state);
is_deeply([ $out =~ /^(\d+)/mg ], [ 6, 7 ], 'the last two');
($code, $out) = audit('list', '--kind', 'intent', '-n', 2, '--state', $state);
is_deeply([ $out =~ /^(\d+)/mg ], [ 5, 7 ], 'the last two of a kind');
($code, $out) = audit('list', '--kind', 'intent', '-o', 'json', '--state', $state);
is_deeply([ map { decode_json($_)->{id} } split /\n/, $out ], [ 12, 13, 14 ], 'as JSON');
($code, $out) = audit('list', '--kind', 'outcome', '-o', 'csv', '--state', $state);
like($out, qr/\Aseq,time,run,kind,members\r\n4,\S+,"[0-9a-f]{16}","outcome","\{""intent"":3,""outcome"":""killed"",""after_ms"":4\}"\r\n6,/, 'as CSV');
($code, $out) = audit('list', '--kind', 'stop', '--state', $state);
is("$code $out", '0 ', 'none of a kind');

($code, $out) = audit('show', 3, '--state', $state);
like($out, qr/^sql +"select 1\\nfrom +dual"$/m, 'das audit show: each member');
like($out, qr/^hash +[0-9a-f]{64}$/m, 'and the hash');
unlike($out, qr/[^\n -~]/, 'no character that drives a terminal');

# --- exact bytes ---------------------------------------------------------------------------------------
my ($verify, $head);
($code, $verify) = audit('verify', '--state', $state);
like($verify, qr/^ok: 7 records, head 7:[0-9a-f]{64}$/, 'das audit verify');
($code, $out, $head) = audit('export', '--state', $state);
is($code, 0, 'das audit export');
like($head, qr/^head (7:[0-9a-f]{64})$/, 'the head on standard error');
like($verify, qr/\Q@{[ $head =~ m{(7:\w+)} ]}\E/, 'which is that of verify');
my ($prev, $n) = ('0' x 64, 0);
for my $line (split /\n/, $out) {
    my $r = decode_json($line);
    $n++ if $r->{seq} == $n + 1 && $r->{prev} eq $prev;
    $prev = sha256_hex($line);
}
is($n, 7, 'the chain can be followed without das');
is("head 7:$prev\n", $head, 'up to the head');
my $whole = $out;
put('journal.jsonl', $whole);
put('follow.sh', get("$start/docs/journal.md") =~ /^```sh\n(.*?)^```/ms);
is(`sh follow.sh`, $head, 'nor with the lines of docs/journal.md');
put('journal.jsonl', $whole =~ s/"id":13/"id":31/r);
is(`sh follow.sh`, "record 6 is wrong, or the one before it\n", 'which find a change');
($code, $out) = audit('show', 5, '-o', 'json', '--state', $state);
is($out, (split /^/, $whole)[4], 'show -o json is the exact line');
($code, $out) = audit('export', '--from', 6, '--state', $state);
is($out, join('', (split /^/, $whole)[ 5, 6 ]), 'export from a record on');
($code, $out) = audit('export', '-o', 'csv', '--state', $state);
my @fields = $out =~ /^(\d+),([0-9a-f]{64}),"((?:[^"]|"")*)"\r$/mg;
is(scalar @fields, 21, 'as CSV: seq, hash, record');
(my $line = $fields[8]) =~ s/""/"/g;
is(sha256_hex($line), $fields[7], 'the hash is of the record');

# --- a person has looked ----------------------------------------------------------------------------
fails(2, qr/expected SEQ REASON, got 1 argument/, 'acknowledge', 5, '--state', $state);
fails(2, qr/record 3 is no kill whose outcome is unknown/, 'acknowledge', 3, 'x', '--state', $state);
fails(2, qr/a reason is needed/, 'acknowledge', 5, ' ', '--state', $state);
fails(2, qr/acknowledge: expected a whole number from 1 up, got "five"/, 'acknowledge', 'five', 'x', '--state', $state);
is((audit('acknowledge', 7, "it's gone", '--state', $state))[0], 0, "a dead run's kill");
is((audit('acknowledge', 5, 'gone, too', '--state', $state))[0], 0, 'the other');
is((audit('list', '--unknown', '--state', $state))[1], '', 'nothing is unknown any more');
like((audit('list', '--kind', 'acknowledged', '--state', $state))[1], qr/intent=7 who="\w+[^"]*" reason="it's gone"/, 'who and why');
$head =~ s/\n//;
($code, $out) = audit('verify', '--head', $head, '--state', $state);
like($out, qr/^ok: 10 records, head 10:/, 'it continues from the earlier head');
is((audit('verify', '--head', $head =~ s/head //r, '--state', $state))[0], 0, 'with or without the word');

# --- what it finds ----------------------------------------------------------------------------------
sql("UPDATE journal SET line = replace(line, '\"id\":12', '\"id\":21') WHERE seq = 3");
fails(1, qr/record 3: its bytes or its hash were changed/, 'verify', '--state', $state);
sql("UPDATE journal SET line = replace(line, '\"id\":21', '\"id\":12') WHERE seq = 3");
is((audit('verify', '--state', $state))[0], 0, 'put right');
is(journal($state, 'end', 'stop "reason":"x"'), 0, 'one record more');
my ($later) = (audit('verify', '--state', $state))[1] =~ /head (11:\w+)/;
sql('DELETE FROM journal WHERE seq = 11');
is((audit('verify', '--state', $state))[0], 0, 'which is cut off: nobody can tell');
fails(1, qr/record 11 is missing: the head was record 11/, 'verify', '--head', $later, '--state', $state);
sql('DELETE FROM journal WHERE seq = 10');
fails(1, qr/record 5: an unknown intent that is not held to be one/, 'verify', '--state', $state);
sql("UPDATE journal SET line = 'no ' || char(27) || 'json' WHERE seq = 4");
($code, $out) = audit('list', '--state', $state);
like($out, qr/^4 +- +damaged +- +no json$/m, 'what is no record is shown as that');
like((audit('show', 4, '--state', $state))[1], qr/^damaged +no json$/m, 'alone, too');
put("$state/das.db", 'garbage' x 1000);
unlink "$state/das.db-wal", "$state/das.db-shm";
fails(1, qr/\Q$state\E\/das\.db: file is not a database/, $_, '--state', $state) for qw(list verify export);

# --- where the journal is ------------------------------------------------------------------------------
journal("$dir/own/das", 'end', 'stop "reason":"x"');
sub found { my ($how, @args) = @_; like((audit('verify', @args))[1], qr/^ok: 2 records/, $how) }
{ local $ENV{STATE_DIRECTORY} = "$dir/own/das:$dir/other"; found('in the first of $STATE_DIRECTORY') }
SKIP: {
    skip 'root keeps it in /var/lib/das', 2 if $> == 0;
    { local $ENV{XDG_STATE_HOME} = "$dir/own"; found('in $XDG_STATE_HOME/das') }
    journal("$dir/.local/state/das", 'end', 'stop "reason":"x"');
    found('in ~/.local/state/das');
}
put('das.lua', 'return { nonsense = 1 }');
fails(2, qr/nonsense/, 'verify');
found('without reading a broken configuration', '--state', "$dir/own/das");

# --- mistakes ------------------------------------------------------------------------------------------
unlink 'das.lua';
fails(2, qr/expected das audit list, show, verify, export or acknowledge/);
fails(2, qr/unknown "verfy"; did you mean das audit verify\?/, 'verfy');
fails(2, qr/-o: das audit list knows table, json, csv, got "xml"/, 'list', '-o', 'xml');
fails(2, qr/-o: das audit export knows jsonl, csv, got "table"/, 'export', '-o', 'table');
fails(2, qr/-o: das audit verify knows no formats/, 'verify', '-o', 'json');
fails(2, qr/--head: expected SEQ:HASH with 64 hex digits/, 'verify', '--head', '7:ab');
fails(2, qr/-n: expected a whole number from 1 up, got "0"/, 'list', '-n', 0);
fails(2, qr/-n: at most 1000000/, 'list', '-n', 1000001);
fails(2, qr/--unknown, --kind and -n are of das audit list/, 'verify', '--unknown');
fails(2, qr/--head is of das audit verify/, 'list', '--head', '7:' . 'a' x 64);
fails(2, qr/--from is of das audit export/, 'list', '--from', 1);
fails(2, qr/unknown option --hed; did you mean --head\?/, 'verify', '--hed', 'x');
fails(2, qr/show: expected SEQ, got 0 arguments/, 'show');
fails(1, qr/no record 9/, 'show', 9, '--state', "$dir/own/das");
like((audit('--help'))[1], qr/^das audit verify/m, 'das audit --help');
like(`$das help audit`, qr/^das audit verify/m, 'das help audit');
like(`$das audit export --state $dir/own/das 2>&1 >/dev/full`, qr/could not be written/, 'a full disk is said');

chdir $start;
done_testing();
