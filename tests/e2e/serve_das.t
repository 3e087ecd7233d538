#!/usr/bin/perl
# serve_das.t - das against das: what runs on an in-memory instance runs on the same instance behind das serve, spoken to
# as to the cloud (das://), and finds the same. Every recording with many filters, and every Lua test.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use JSON::PP;
use Das qw(das das_json $AUTO $MANY);
use Serve;

my $json = JSON::PP->new->utf8->canonical;
my @samples = sort grep { !/preview_answer/ } grep { -f } glob 'tests/samples/*';

# The client's own das.lua: who it is at the "cloud", and what its scripts may.
sub client {
    my ($s) = @_;
    my $path = "$s->{dir}/client.lua";
    open my $out, '>', $path or die;
    print $out <<"LUA";
return {
  state = "$s->{dir}/client-state", limits = { $MANY }, $AUTO,
  clouds = { default = { access_key = "$s->{key}{access}", secret_key = { env = "SERVE_SK" }, rate = 1000 } },
}
LUA
    close $out;
    return { env => { DAS_CONFIG => $path, SERVE_SK => $s->{key}{secret} } };
}
sub url { my ($s, $name) = @_; return "das://local/$Serve::PROJECT/" . $s->id($name) . '?endpoint=' . $s->base }

# --- previews ---------------------------------------------------------------------------------------
my %instances = map { m{/([^/.]+)\.}; ($1 => "mem:$_") } @samples;
my $s = Serve->new(instances => \%instances, serve => 'mode = "auto", share = "1ms"');
my $opt = client($s);

# Ages: both clocks begin when the list is opened, the server's a little earlier. So no age in the samples lies shortly
# before one of these.
my @criteria = (
    ['--all'], [ '--user', 'app%' ], [ '--user', 'report' ], [ '--command', 'query' ], [ '--command', 'Sleep', '--time', '340' ], [ '--time', '680' ], [ '--time', '810' ],
    [ '--info', 'select' ], [ '--info', 'select~from~orders' ], [ '--info', 'SELECT~where' ], [ '--host', '10.%' ], [ '--host', '%' ], [ '--db', 'shop' ],
    [ '--state', 'Send%' ], [ '--id', '65,66,1801' ], [ '--user', 'app_rw', '--command', 'Query', '--info', 'update' ], [ '--user', 'nobody' ],
    [ '--all', '--oldest', '3' ], [ '--all', '--newest', '3' ], [ '--all', '--limit', '2' ],
);
my @same = qw(id user host db command state sql_info state_duration);
sub sessions {
    my ($r) = @_;
    return "exit $r->{exit}: $r->{err}" if !$r->{json};
    return [ $r->{json}{total_count}, map { my $p = $_; +{ map { $_ => $p->{$_} } @same } } @{ $r->{json}{processes} } ];
}
for my $name (sort keys %instances) {
    for my $c (@criteria) {
        my ($there, $here) = map { sessions($_) } das_json($opt, url($s, $name), @$c), das_json($opt, "mem:" . ($instances{$name} =~ s/^mem://r), @$c);
        for ($there, $here) { if (ref) { for my $p (@$_[ 1 .. $#$_ ]) { $p->{state_duration} = defined $p->{state_duration} ? 'known' : undef } } }
        is_deeply($there, $here, "$name: @$c");
    }
}
$s->stop;

# --- every Lua test ---------------------------------------------------------------------------------
# What the cloud cannot do, das serve does not: a statement cannot be ended, so the plan of plan.lua is refused.
my %exit = ('tests/lua/plan.lua' => 5);
for my $file (grep { !m{/tap\.lua$} } sort glob 'tests/lua/*.lua') {
    open my $in, '<', $file or die;
    my $options = <$in> =~ /^-- das: (.*)/ ? $1 : '-i mem:tests/samples/recording.jsonl';
    my $want = $exit{$file} // (<$in> =~ /^-- exit: (\d+)/ ? $1 : 0);
    my ($before, $after) = split / -- /, $options;
    my ($sample) = $before =~ /mem:(\S+)/;
    my $s = Serve->new(instances => { there => "mem:$sample" }, serve => 'mode = "auto", share = "1ms"');
    my $opt = client($s);
    my $url = url($s, 'there');
    $before =~ s/mem:\S+/$url/;
    my $r = das($opt, 'run', split(' ', $before), $file, split(' ', $after // ''));
    my @failed = $r->{out} =~ /^(not ok .*)/mg;
    my ($plan) = $r->{out} =~ /^1\.\.(\d+)$/m;
    my $count = () = $r->{out} =~ /^(?:not )?ok \d/mg;
    is($count, $plan, "$file runs to its end behind das serve") or diag($r->{err});
    is_deeply(\@failed, [], 'and finds what it finds in memory') or diag($r->{out} =~ /^#.*/mg);
    is($r->{exit}, $want, "exit $want") or diag($r->{err}, $s->log);
    note("$file: $count checks");
}
done_testing();
