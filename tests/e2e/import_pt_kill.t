#!/usr/bin/perl
# import_pt_kill.t - das import-pt-kill by itself: what it writes, says and refuses. Whether its policies
# choose as pt-kill does, pt_kill.t asks the real one.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use lib 'tests/e2e/lib';
use Das;

my $dir = tempdir(CLEANUP => 1);
my $list = "$dir/list.tsv";
my $policy = "$dir/policy.lua";
sub put { my ($path, @text) = @_; open my $out, '>', $path or die "$path: $!"; print $out @text; close $out or die; return $path }
sub rows { return put($list, map { join("\t", @$_) . "\n" } [qw(Id User Host db Command Time State Info)], @_) }
rows([ 1, 'app', 'h:1', 'shop', 'Query', 100, 'NULL', 'select 1' ], [ 2, 'app', 'h:2', 'shop', 'Query', 50, 'NULL', 'select 2' ],
    [ 3, 'root', 'h:3', 'shop', 'Sleep', 500, 'NULL', 'NULL' ]);

sub import_it {
    my $r = das('import-pt-kill', '--', @_);
    put($policy, $r->{out}) unless $r->{exit};
    return $r;
}

sub run_it { return das('run', '-i', "mem:$list", '-o', 'csv', @_, $policy) }

# --- the text --------------------------------------------------------------------------------------
my $r = import_it(qw(/usr/bin/pt-kill --busy-time 60 --victims all --kill-query --print));
is($r->{exit}, 0, 'a policy');
is($r->{err}, '', 'and nothing to say');
like($r->{out}, qr/^--   pt-kill --busy-time 60 --victims all --kill-query --print$/m, 'the command line stands in it');
like($r->{out}, qr/looks every 30 s/, 'and how often pt-kill looks');
is(das('check', $policy)->{exit}, 0, 'das check finds nothing');
like(import_it(qw(--busy-time 9 --print))->{out}, qr/looks every 4 s/, 'half of --busy-time');
like(import_it(qw(--busy-time 1 --print))->{out}, qr/looks every 1 s/, 'at least a second');
like(import_it(qw(--busy-time 9 --interval 2m --print))->{out}, qr/looks every 120 s/, 'or --interval');
like(import_it(qw(--busy-time 60 --kill --wait-before-kill 5m))->{out}, qr/ttl = 360,.*limits\.wall.*das\.sleep\(300\)/s,
    'a plan lives as long as --wait-before-kill');

$r = import_it(qw(--match-all --print -phidden --slave-password hidden --log-dsn), 'h=db,p=hidden,D=x', 'h=db,p=hidden', '--password=hidden');
is($r->{exit}, 0, 'passwords are taken');
unlike($r->{out} . $r->{err}, qr/hidden/, 'and not written down');
like($r->{out}, qr/--password '\*\*\*'/, 'only that there was one');
like($r->{out}, qr/^-- \* --log-dsn: the journal/m, 'what has another place is said');

$r = import_it('--config', put("$dir/pt-kill.conf", "# mine\nbusy-time = 5 # s\nvictims=all\nprint\nno-ignore-self\n"), '--victims', 'oldest');
like($r->{out}, qr/pt-kill --busy-time 5 --victims all --print --no-ignore-self --victims oldest/, 'a configuration file, and what is typed wins');
like($r->{out}, qr/pick\{ places\[1\] \}/, 'which is the oldest');

# --- dry and armed ------------------------------------------------------------------------------------
import_it(qw(--busy-time 60 --kill-query --victims all));
$r = run_it();
is($r->{exit}, 0, 'a dry run');
like($r->{out}, qr{^ *dry_run +query +1 app\@h:1}m, 'says what it would kill');
unlike($r->{out}, qr{[23] \w+\@h:}, 'and no more');
like(run_it('--apply')->{out}, qr{^ *killed +query +1 app\@h:1}m, 'an armed one kills');
import_it(qw(--idle-time 60 --kill --print));
like(run_it('--apply')->{out}, qr{^ *killed +connection +3 root\@h:3}m, '--kill ends the connection');
$r = import_it(qw(--idle-time 60 --kill-query));
$r = run_it('--apply');
is($r->{exit}, 5, 'a statement of an idle session cannot be killed');
import_it(qw(--busy-time 60 --print));
$r = run_it('--apply');
like($r->{out}, qr/^1,/m, '--print alone shows them');
unlike($r->{out}, qr/killed|dry_run/, 'and kills nothing');

# --- what has to be done by hand -----------------------------------------------------------------------
$r = import_it('--filter', "\$event->{Time} > 60\n  && 1 # ]]\n", qw(--match-all --kill --group-by made));
is($r->{exit}, 0, 'a --filter');
like($r->{err}, qr/--filter is Perl/, 'is said');
like($r->{err}, qr/--group-by made: a column of the filter/, 'as is a group by what it makes');
like($r->{out}, qr/^--   \$event->\{Time\} > 60\n--     && 1 # \]\]$/m, 'and stands there, line by line');
$r = run_it('--apply');
is($r->{exit}, 1, 'the policy ends there');
like($r->{err}, qr/policy\.lua:\d+: --filter of pt-kill is not translated/, 'with its place');
is($r->{out}, '', 'and has killed nothing');
open my $in, '<', $policy or die;
my $text = join '', <$in>;
$text =~ s/^  error\(\("--filter.*$/  return s.state_duration > 60/m and $text =~ s/^  error\(\("--group-by.*$/  return s.user/m or die;
put($policy, $text);
is(run_it('--apply')->{exit}, 0, 'until it is translated');
put("$dir/filter.pl", "sub { 1 }\n");
like(import_it('--filter', "$dir/filter.pl", qw(--match-all --kill))->{out}, qr/^--   sub \{ 1 \}$/m, 'a filter in a file');
like(import_it('--filter', '-', qw(--match-all --kill))->{out}, qr/^--   -$/m, 'one that is no file');

$r = import_it('--execute-command', "mail -s '--[[' dba", qw(--busy-time 60 --kill));
like($r->{err}, qr/das starts no programs/, '--execute-command is said');
like($r->{out}, qr/^ +--   mail -s '--\[\[' dba$/m, 'and stands where it was done');
like(run_it()->{out}, qr{^ *dry_run +connection +1 app\@h:1}m, 'the rest works');
$r = import_it(qw(--busy-time 60 --print --kill-busy-commands), 'Query|Execute');
like($r->{err}, qr/Query\|Execute: it is a comma list/, 'a pipe in a comma list is said');
$r = import_it(qw(--busy-time 60 --print --kill-busy-commands query));
like($r->{err}, qr/upper and lower case count/, 'as is a command in lower case');
like(import_it(qw(--print))->{err}, qr/no option says what to match/, 'and that nothing matches');
like(import_it(qw(--print --match-all --group-by shape))->{err}, qr/no such column/, 'and a column that is not there');
like(import_it(qw(--print --match-all --replication-threads))->{err}, qr/never kills replication/, 'and replication');

# --- odd values ------------------------------------------------------------------------------------------
for my $pattern (']]', '[[', 'a]', '\\]', '[a]]\\d', '"', '\\"x', "'", "a\nb", '--[[', '%d', '%', "\\\\", '[\\]]', "\x01", "\xc3\xa9\\w") {
    (my $name = $pattern) =~ s/[^ -~]/?/g;
    my $quoted = "\Q$pattern\E";
    rows([ 1, 'app', 'h:1', 'shop', 'Query', 100, 'NULL', 'select 1' ],
        [ 2, "x$pattern", 'h:1', 'shop', 'Query', 100, 'NULL', 'select 1' ]) if $pattern !~ /[\n\\]/;
    $r = import_it('--match-user', $quoted, '--print', '--filter', $pattern, '--execute-command', $pattern, '--group-by', 'user');
    is($r->{exit}, 0, "$name: a policy") or diag($r->{err});
    is(das('check', $policy)->{exit}, 0, "$name: it is Lua");
    $text = $r->{out} =~ s/^  error\(\("--filter.*$/  return s.id > 0/mr;
    put($policy, $text);
    next if $pattern =~ /[\n\\]/;
    $r = run_it();
    like($r->{out}, qr/^2,/m, "$name: it matches") or diag($r->{err});
    unlike($r->{out}, qr/^1,/m, "$name: what it should");
}

# --- mistakes ----------------------------------------------------------------------------------------------
for (
    [ 'pt-kill has no option --busy-tme; did you mean --busy-time?', qw(--busy-tme 5 --print) ],
    [ '--ma is ambiguous: --match-all, --match-command', qw(--ma x) ],
    [ 'pt-kill has no option -b, as in "-busy-time"; long options begin with two dashes', qw(-busy-time 5) ],
    [ '--match-user needs a value', qw(--print --match-user) ],
    [ '--match-user needs a value, got the option --print', qw(--match-user --print) ],
    [ '--print takes no value, got "1"', qw(--print=1) ],
    [ '--busy-time: expected whole seconds or a number with s, m, h or d, got "1.5m" (pt-kill would read it as 5m)', qw(--busy-time 1.5m) ],
    [ '--busy-time: expected whole seconds or a number with s, m, h or d, got "soon"', qw(--busy-time soon) ],
    [ '--query-count: expected a whole number, got "2.5"', qw(--query-count 2.5) ],
    [ '--victims: expected oldest, all or all-but-oldest, got "some"', qw(--print --victims some) ],
    [ '--kill and --kill-query exclude each other', qw(--kill --kill-query) ],
    [ '--any-busy-time and --each-busy-time exclude each other', qw(--print --any 5 --each 5) ],
    [ '--match-user: bad pattern "(": missing closing parenthesis, at byte 2', qw(--print --match-user), '(' ],
    [ '--match-info: to Perl an empty pattern is the last one that matched anything', '--print', '--match-info', '' ],
    [ "what spares nobody is '(?!)'", '--print', '--ignore-state', '' ],
    [ 'das stop REASON', '--stop' ],
    [ 'what shall become of the sessions?', qw(--match-all) ],
    [ '--config: pt-kill takes it as the first option only', qw(--print --config x) ],
    [ '--config: standard input is no file', qw(--config - --print) ],
    [ '--config: /no/such: No such file', qw(--config /no/such --print) ],
) {
    my ($words, @args) = @$_;
    $r = das('import-pt-kill', '--', @args);
    is($r->{exit}, 2, "@args: exit 2");
    like($r->{err}, qr/^das import-pt-kill: \Q$words\E/, "@args: $words") if $words !~ /^(?:what spares|das stop)/;
    like($r->{err}, qr/\Q$words\E/, "@args: $words");
    is($r->{out}, '', "@args: and no policy");
}
$r = das('import-pt-kill', '--busy-time', '5');
is($r->{exit}, 2, 'without --');
like($r->{err}, qr/They stand behind --/, 'one is told where they stand');
like(das('import-pt-kill', '--help')->{out}, qr/^das import-pt-kill -- /, 'help');

done_testing();
