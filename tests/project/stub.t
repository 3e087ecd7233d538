#!/usr/bin/perl
# stub.t - the editor stub says what the binary has, no less and no more.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempfile);
use JSON::PP;

my $das = $ENV{DAS} || 'build/das';

sub slurp {
    open my $in, '<', $_[0] or die "$_[0]: $!";
    local $/;
    return <$in>;
}

# --- what the stub says ------------------------------------------------------------------------
my (%stub, $class);
for (split /\n/, slurp('scripts/types/das.d.lua')) {
    if (/^---\@class (?:\(exact\) )?([\w.]+)/) { $class = $1; $stub{$class} ||= {} }
    elsif (/^---\@field (\w+)/) { $stub{$class}{$1} = 1 }
    elsif (/^function ([\w.]+)[:.](\w+)/) {
        my ($table, $name) = ($1, $2);
        $stub{ $table =~ /^das\b/ ? $table : "das.$table" }{$name} = 1;
    }
}

# --- what the binary has -----------------------------------------------------------------------
# das itself can be walked; the objects cannot, so each name of the stub is asked for.
my ($fh, $script) = tempfile(SUFFIX => '.lua', UNLINK => 1);
print $fh <<'LUA';
for name, value in pairs(das) do
  print("das", name)
  if type(value) == "table" and name ~= "args" then
    for inner in pairs(value) do print("das." .. name, inner) end
  end
end
local found = das.preview{ all = true }
local plan = found:plan{}
local objects = {
  ["das.session"] = found[1], ["das.selection"] = found, ["das.plan"] = plan,
  ["das.report"] = plan:apply(), ["das.instance"] = das.instances()[1],
  ["das.explanation"] = found:explain(found[1]), ["das.group"] = found:group_by("user")[1],
  ["das.outcome"] = plan:apply().outcomes[1], ["das.reason"] = found:explain(found[1]).reasons[1],
  ["das.window"] = das.time.window{}, ["das.regex"] = das.regex("x"),
}
for name, object in pairs(objects) do
  for i = 1, #das.args do
    local class, field = das.args[i]:match("^(.*)/(.*)$")
    if class == name then
      print(class, field, pcall(function() return object[field] end))
    end
  end
end
LUA
close $fh;
my @asked = map { my $c = $_; map { "$c/$_" } sort keys %{ $stub{$c} } } sort keys %stub;
my @out = split /\n/, `$das run -i mem:tests/samples/recording.jsonl $script @asked 2>/dev/null`;
is($?, 0, 'the walk ran');

my %das;
/^(das|das\.\w+)\t(\w+)$/ and $das{$1}{$2} = 1 for @out;
cmp_ok(scalar keys %das, '>', 4, 'das has tables in it');
for my $table (sort keys %das) {
    is_deeply([ sort keys %{ $das{$table} } ], [ sort keys %{ $stub{$table} } ], "$table has what the stub says");
}
my @missing = grep { /\tfalse\t/ } @out;
is_deeply(\@missing, [], 'objects have what the stub says');

# And back: das check --names tells everything that the binary has.
my $names = decode_json(`$das check --names`);
my %has = map { $_ => [ @{ $names->{classes}{$_}{fields} }, @{ $names->{classes}{$_}{methods} } ] }
    keys %{ $names->{classes} };
delete $has{'das.processes'};    # an array, to the stub
$has{$_} = $names->{globals}{$_} for grep { /^das/ } keys %{ $names->{globals} };
$has{'das.criteria'} = $names->{criteria};
# Options are known where they are read only.
sub names { my ($text, $table) = @_; return $text =~ /\Q$table\E\[[^\]]*\] = \{(.*?)\};/s ? $1 =~ /"(\w+)"/g : () }
sub after { my ($text, $function) = @_; return substr($text, index($text, $function)) }
sub names_of_macro { my ($text, $macro) = @_; return $text =~ /#define $macro ((?:.*\\\n)*.*)/ ? $1 =~ /"(\w+)"/g : () }
my $http = slurp('bindings/http.c');
$has{'das.http_options'} = [ names_of_macro($http, 'COMMON') ];
$has{'das.http_request'} = [ names(after($http, 'static int http_request'), 'allowed') ];
$has{'das.http_retry'} = [ names(after($http, 'static void get_retry'), 'allowed') ];
sub methods_of { my ($file, %of) = @_; my $text = slurp($file); $has{"das.$_"} = [ names(after($text, $of{$_}), 'allowed') ] for keys %of }
methods_of('bindings/cloud.c', kill_history_options => 'static void read_history', innodb_locks_options => 'static int innodb_options',
    metadata_locks_options => 'static void read_metadata', transactions_options => 'static void read_transactions');
my $cloud = slurp('bindings/cloud.c');
$has{'das.each_process_options'} = [ names_of_macro($cloud, 'WHOSE') ];
$has{'das.processes_options'} = [ names(after($cloud, 'static void read_page'), 'allowed') ];
methods_of('bindings/cloud_act.c', order_options => 'static const char *read_reason', switch_options => 'static int switch_options',
    kill_all_options => 'static int kill_all_options');
methods_of('bindings/cloud_account.c', account_options => 'static void read_account');
methods_of('bindings/cloud_args.c', datastore_options => 'void das_opt_type');
# What the cloud tells has the names of its shapes.
my %shape = (process => 'cloud_process', task => 'kill_task', killed => 'killed_session', lock => 'lock', trx => 'lock_transaction', lock_wait => 'lock_wait',
    metadata_lock => 'metadata_lock', long_trx => 'long_transaction', instance => 'cloud_instance', node => 'node', db_user => 'db_user');
for my $file (glob 'core/cloud/api*.c') {
    my $text = slurp($file);
    while ($text =~ /DAS_FIELD(?:_LIST)?\(das_cloud_(\w+), (\w+),/g) {
        push @{ $has{"das.$shape{$1}"} }, $2 if $shape{$1};
    }
}
push @{ $has{'das.cloud_instance'} }, 'instance';
# A test's t is made in Lua, but for the fields of a session.
my $t = slurp('scripts/prelude/test.lua');
my $expect = slurp('scripts/prelude/expect.lua');
sub keys_of { my ($text, $from) = @_; my $part = after($text, $from); return substr($part, 0, index($part, "\n}")) =~ /(\w+) = /g }
sub list_of { my ($text, $what) = @_; return $text =~ /host\.options\(\w+, "\Q$what\E", \{(.*?)\}/s ? $1 =~ /"(\w+)"/g : () }
$has{'das.test'} = [ keys_of($t, '  clock = clock,') ];
$has{'das.test_clock'} = [ $t =~ /^function clock\.(\w+)/mg ];
$has{'das.test_instance'} = [ 'name', $t =~ /^function database:(\w+)/mg ];
$has{'das.test_expectations'} = [ $expect =~ /^function expectations\.(\w+)/mg ];
$has{'das.test_instance_options'} = [ list_of($t, 't.instance') ];
$has{'das.test_run_options'} = [ list_of($t, 't.run') ];
$has{'das.test_answer'} = [ list_of($t, 't.http') ];
$has{'das.test_session'} = [ slurp('bindings/test_instance.c') =~ /const fields\[\] = \{(.*?)\};/s ? $1 =~ /"(\w+)"/g : () ];
my $run = slurp('bindings/test_result.c');
$has{'das.test_config'} = [ names(slurp('bindings/test_rules.c'), 'allowed'), names_of_macro(slurp('bindings/config_impl.h'), 'DAS_CONFIG_POLICY_KEYS') ];
$has{'das.test_result'} = [ qw(outcomes notes requests replies runbooks messages), grep { $_ ne 'told' } after($run, 'void das_test_push_result') =~ /^(.*?)^\}/ms ? $1 =~ /"(\w+)"/g : () ];
$has{'das.kill_task_criteria'} = [ 'reason', grep { !/^(?:state|id|trx_time|rows_modified)$/ } @{ $has{'das.criteria'} } ];
for my $name (sort keys %has) {
    is_deeply([ sort @{ $has{$name} } ], [ sort keys %{ $stub{$name} || {} } ], "the stub has all of $name");
}
done_testing();
