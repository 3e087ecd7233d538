#!/usr/bin/perl
# cli.t - the program as a person types it: options, help, mistakes, exit codes, configuration.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use lib 'tests/e2e/lib';
use Das qw($AUTO $MANY);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $list = getcwd() . '/tests/samples/recording.jsonl';
my $dir = tempdir(CLEANUP => 1);
$ENV{HOME} = $dir;
$ENV{STATE_DIRECTORY} = "$dir/state";
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME COLUMNS)};
chdir $dir or die;

# das(ARGS...): exit code, standard output, standard error. A leading \"text" is its input.
sub das {
    my $input = ref $_[0] ? ${ +shift } : '';
    my @args = map { (my $a = $_) =~ s/'/'\\''/g; "'$a'" } @_;
    put('in', $input);
    my $out = `$das @args <in 2>err`;
    my $code = $? >> 8;
    return ($code, $out, get('err'));
}
sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub get { open my $f, '<', $_[0] or die "$_[0]: $!"; local $/; return <$f> // '' }

sub fails {
    my ($want, $message, @args) = @_;
    my ($code, $out, $err) = das(@args);
    my $name = join ' ', map { ref $_ ? '-' : $_ } @args;
    is($code, $want, "$name: exit $want");
    is($out, '', 'nothing on standard output');
    like($err, $message, 'a message that helps');
}

# --- help ------------------------------------------------------------------------------------
for my $args ([], ['--help'], ['run', '--help'], ['preview', '-h'], ['help', 'run'], ['help', 'preview'], ['help', 'apply']) {
    my ($code, $out, $err) = das(@$args);
    is($code, @$args ? 0 : 2, "das @$args");
    like(@$args ? $out : $err, qr/das (run|preview) .*-i/, 'shows examples');
}
like((das('--version'))[1], qr/^das \d+\.\d+\.\d+\n$/, 'das --version');

# --- mistakes --------------------------------------------------------------------------------
fails(2, qr/unknown command "prevew"; did you mean "preview"\?/, 'prevew');
fails(2, qr/unknown option --usr; did you mean --user\?/, 'preview', '--usr', 'x');
fails(2, qr/unknown option -z/, 'preview', '-z');
fails(2, qr/--user needs a value/, 'preview', '--user');
fails(2, qr/-o: expected table, json or csv, got "xml"/, 'preview', '-o', 'xml');
fails(2, qr/"orders" is no option/, 'preview', 'orders');
fails(2, qr/no instance: say -i INSTANCE/, 'preview', '--all');
fails(2, qr/"\Q$list\E" is a file: say file:\Q$list\E to look at it, mem:/, 'preview', '-i', $list);
fails(2, qr/no instance "orders" in the configuration/, 'preview', '-i', 'orders');
fails(2, qr/command: no source knows "Qury"; did you mean "Query"/, 'preview', '-i', "file:$list", '--command', 'Qury');
fails(2, qr/time: expected whole seconds or a duration/, 'preview', '-i', "file:$list", '--time', 'soon');
fails(2, qr/--id: expected ids such as 12 or 12,13, got "1,x"/, 'preview', '-i', "file:$list", '--id', '1,x');
fails(2, qr/only one of --oldest/, 'preview', '-i', "file:$list", '--oldest', 1, '--newest', 1);
fails(2, qr/--limit: expected a whole number/, 'preview', '-i', "file:$list", '--all', '--limit', 'many');
fails(2, qr/twice/, 'preview', '-i', "file:$list", '-i', "file:$list", '--all');
fails(1, qr/nowhere: No such file/, 'preview', '-i', 'file:nowhere', '--all');
fails(2, qr/which script\?/, 'run', '-i', "mem:$list");
fails(1, qr/nowhere.lua: No such file/, 'run', 'nowhere.lua');
fails(2, qr/password.*(password_file|my\.cnf)/s, 'preview', '-i', 'mysql://root:secret@127.0.0.1/', '--all');
unlike((das('preview', '-i', 'mysql://root:secret@127.0.0.1/', '--all'))[2], qr/secret/, 'and does not repeat it');

# --- preview ---------------------------------------------------------------------------------
my ($code, $out, $err) = das('preview', '-i', "file:$list", '--user', 'report', '-o', 'json');
is($code, 0, 'preview as JSON');
my $answer = decode_json($out);
is_deeply([ sort keys %$answer ], [qw(complete data_sync_time instance processes total_count warnings)], 'its fields');
is($answer->{total_count}, 2, 'total_count');
is($answer->{instance}, "file:$list", 'instance');
is($answer->{complete}, JSON::PP::true, 'complete');
like($answer->{warnings}[0], qr/3 snapshots/, 'warnings');
like($err, qr/3 snapshots/, 'which standard error has as well');
my $s = $answer->{processes}[0];
is_deeply([ @$s{qw(id user host db command state state_duration)} ],
    [ 1987, 'report', '10.20.3.7:33890', 'shop', 'Query', 'Sending data', 1310 ], 'a session');
like($out, qr/"id":1987,/, 'integers are integers');
is($s->{trx_time}, undef, 'no transaction is null');

($code, $out) = das('preview', '-i', "file:$list", '--user', 'report', '-o', 'csv');
my @lines = split /\r\n/, $out;
is(scalar @lines, 3, 'CSV: a header and two rows');
like($lines[0], qr/^id,user,host,db,command,state,sql_info,state_duration,/, 'its header');
like($lines[1], qr/^1987,report,/, 'its rows');

($code, $out) = das('preview', '-i', "file:$list?snapshot=1", '-i', "file:$list?snapshot=2", '--all', '-o', 'json');
is(scalar(() = $out =~ /^\{.*\}$/mg), 2, 'two instances, two objects, a line each');
($code, $out, $err) = das('preview', '-i', "file:$list", '-i', 'file:nowhere', '--user', 'report');
is($code, 4, 'one instance of two: exit 4');
like($out, qr/2 sessions match/, 'the good one is shown');

is((das(\get($list), 'preview', '-i', 'file:-', '--user', 'report', '-o', 'csv'))[1], join("\r\n", @lines, ''), 'from standard input');
($code, $out) = das('preview', '-i', "file:$list", '--id', '1987, 1990', '--newest', 1, '-o', 'json');
is(decode_json($out)->{processes}[0]{id}, 1990, '--id and --newest');
is(decode_json($out)->{total_count}, 2, 'total_count is what matches, not what is shown');
($code, $out) = das('preview', '-i', "file:$list", '--time', '30m', '--command', 'sleep', '--explain', 2044);
like($out, qr/session 2044: out.*time >= 1800 s\s+680 s\s+out\s+\(1120 s too young\)/s, '--explain');
fails(1, qr/no session 4711/, 'preview', '-i', "file:$list", '--all', '--explain', 4711);
($code, $out, $err) = das('preview', '-i', "file:$list");
is($code, 0, 'no criterion');
like($out, qr/: 0 sessions match \{\}/, 'selects nothing');
like($err, qr/no criterion/, 'and says why');

# --- configuration ---------------------------------------------------------------------------
put('das.lua', qq{return { instances = { shop = "mem:$list", other = "file:$list" }, protect = { { user = "backup" } }, $AUTO, limits = { $MANY } }});
($code, $out) = das('preview', '-i', 'shop', '--user', 'backup');
like($out, qr/^shop: 1 session/, './das.lua is found');
fails(2, qr/no instance "shpo"; did you mean "shop"/, 'preview', '-i', 'shpo', '--all');
($code, $out) = das('preview', '--user', 'backup', '-o', 'json');
is(scalar(() = $out =~ /^\{/mg), 2, 'without -i: all of the configuration');
put('p.lua', 'print(das.preview{ user = "backup" }:plan{}:apply())');
($code, $out) = das('run', '-i', 'shop', '--apply', 'p.lua');
like($out, qr/protected\s+1801.*\{user="backup"\}/, 'its protection holds under --apply');
fails(2, qr/p\.lua:1: /, 'run', '--config', 'p.lua', 'p.lua');
put('bad.lua', 'return { instances = { x = { source = "mem:y", pasword_file = "z" } } }');
fails(2, qr/bad\.lua: instances\.x: unknown key "pasword_file"; did you mean "password_file"/, 'preview', '--config', 'bad.lua', '--all');
fails(2, qr/nowhere\.lua/, 'preview', '--config', 'nowhere.lua', '--all');
$ENV{DAS_CONFIG} = "$dir/bad.lua";
fails(2, qr/bad\.lua/, 'preview', '--all');
delete $ENV{DAS_CONFIG};
unlink 'das.lua';
mkdir '.config'; mkdir '.config/das';
put('.config/das/das.lua', qq{return { instances = { home = "mem:$list" }, $AUTO, limits = { $MANY } }});
like((das('preview', '--user', 'backup'))[1], qr/^home: 1/, '~/.config/das/das.lua is found');

# --- run -------------------------------------------------------------------------------------
sub run_script {
    my ($text, @args) = @_;
    put('s.lua', $text);
    return das('run', '-i', "mem:$list", @args, 's.lua');
}
($code, $out, $err) = run_script('print(das.preview{ user = "report" }:plan{ kill = "query" }:apply())');
is($code, 0, 'a dry run');
like($out, qr/^dry run: 2 would be killed/, 'says so');
like($err, qr/2 would be killed; --apply does it/, 'and how to arm it');
($code, $out, $err) = run_script('print(das.preview{ user = "report" }:plan{ kill = "query" }:apply())', '--apply');
like($out, qr/^applied: 2 killed/, '--apply kills');
is($code, 0, 'exit 0');
($code) = run_script('das.preview{ command = "Sleep" }:plan{ kill = "query" }:apply()', '--apply');
is($code, 5, 'all refused: exit 5');
($code) = run_script('das.preview{ user = "shop%" }:plan{ kill = "query" }:apply()', '--apply');
is($code, 4, 'some refused: exit 4');
($code, $out, $err) = run_script("das.preview{ user = 'report' }:plan{}:apply()\nerror('after the kill')", '--apply');
is($code, 1, 'an error after a kill: exit 1');
like($err, qr/s\.lua:2: after the kill\n.*2 killed/s, 'the error, and what was done');
($code, $out, $err) = run_script("local function f() das.previw{} end\nf()");
like($err, qr/s\.lua:1: das has no field "previw"; did you mean "preview"\?\n  called from s\.lua:2\n/, 'line, suggestion, caller');
($code, $out, $err) = run_script('print("x"');
is($code, 1, 'a syntax error');
like($err, qr/s\.lua:1: /, 'with its line');
($code, $out) = run_script('print(das.preview{ user = "report" })', '-o', 'json');
is(decode_json($out)->{total_count}, 2, 'print() obeys -o json');
($code, $out) = run_script('print(das.preview{ user = "report" }:plan{}:apply())', '-o', 'json');
is(decode_json($out)->{would_kill}, 2, 'for a report too');
($code, $out) = das(\'print(#das.args, ...)', 'run', '-i', "mem:$list", '-', 'a', '-x');
is($out, "2\ta\t-x\n", 'a script from standard input, with arguments');
($code, $out, $err) = run_script("x = 1\nx = 2\nfunction f() y = x end\nf()\nrawset(_G, 'z', 3)\n_ENV.w = nil\nprint(x, y, z, w)");
is($out, "2\t2\t3\tnil\n", 'a global is a global');
is($err, join('', map { "das run: s.lua:$_ was assigned without local\n" } '1: global "x"', '3: global "f"', '3: global "y"'), 'but each is warned about, once');
is($code, 0, 'and no error');
($code, $out, $err) = run_script("for i = 1, 1000 do _G['v' .. i] = i end\nlocal n = 0 for k in pairs(_G) do n = n + 1 end\nprint(v1000, n > 1000)");
is($out, "1000\ttrue\n", 'a thousand of them');
is(scalar(() = $err =~ /\n/g), 21, 'do not flood the log');
put('mod.lua', 'return { answer = 42 }');
($code, $out) = run_script('print(require("mod").answer)');
is($out, "42\n", 'require finds what lies beside the script');

# --- output that cannot be written -------------------------------------------------------------
SKIP: {
    skip 'no /dev/full', 1 unless -w '/dev/full';
    system "$das preview -i 'file:$list' --all >/dev/full 2>err";
    is($? >> 8, 1, 'a full disk is an error');
    like(get('err'), qr/could not be written/, 'that is said');
}
my $piped = `$das preview -i 'file:$list' --all -o json 2>/dev/null | head -c 10; echo`;
is($piped, "{\"data_syn\n", 'a reader that leaves early is no disaster');

# --- a terminal ----------------------------------------------------------------------------------
SKIP: {
    skip 'no tmux', 2 unless `which tmux 2>/dev/null`;
    my $tmux = "tmux -L das-test-$$";
    system "$tmux -f /dev/null new-session -d -x 90 -y 30 \"$das preview -i 'file:$list?snapshot=3' --user report; sleep 60\"";
    my $screen = '';
    for (1 .. 100) {
        $screen = `$tmux capture-pane -p`;
        last if $screen =~ /1990/;
        select undef, undef, undef, 0.05;
    }
    system "$tmux kill-server 2>/dev/null";
    my ($row) = $screen =~ /^(1987 .*)$/m;
    ok($row, 'a table on a terminal');
    cmp_ok(length($row // 'x' x 99), '<=', 90, 'fits its width, each session on one line');
}
done_testing();
