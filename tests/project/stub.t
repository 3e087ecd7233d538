#!/usr/bin/perl
# stub.t - the editor stub says what the binary has, no less and no more.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempfile);

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
# das itself can be walked; the objects cannot, so each name of the stub is asked for, and the
# name tables of the bindings are read for the way back.
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
  ["das.window"] = das.time.window{},
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

sub names { my ($text, $table) = @_; return $text =~ /\Q$table\E\[[^\]]*\] = \{(.*?)\};/s ? $1 =~ /"(\w+)"/g : () }
sub after { my ($text, $function) = @_; return substr($text, index($text, $function)) }
my $selection = slurp('bindings/selection.c');
my $plan = slurp('bindings/plan.c');
my $instance = slurp('bindings/instance.c');
my $http = slurp('bindings/http.c');
sub names_of_macro { my ($text, $macro) = @_; return $text =~ /#define $macro ((?:.*\\\n)*.*)/ ? $1 =~ /"(\w+)"/g : () }
my %has = (
    'das.selection' => [ names($selection, 'fields'), names($selection, 'methods') ],
    'das.explanation' => [ names(after($selection, 'static int explanation_index'), 'names') ],
    'das.plan' => [ names(after($plan, 'static int plan_index'), 'names'), names($plan, 'methods') ],
    'das.report' => [ names(after($plan, 'static int report_index'), 'names') ],
    'das.instance' => [ names(after($instance, 'static int instance_index'), 'names'), names($instance, 'methods') ],
    'das.window' => [ names(slurp('bindings/time.c'), 'window_methods') ],
    'das.response' => [ names($http, 'fields'), names(after($http, 'void das_open_http'), 'methods') ],
    'das.secret' => [ names(slurp('bindings/secret.c'), 'methods') ],
    'das.http_options' => [ names_of_macro($http, 'COMMON') ],
    'das.http_request' => [ names(after($http, 'static int http_request'), 'allowed') ],
    'das.http_retry' => [ names(after($http, 'static void get_retry'), 'allowed') ],
    'das.session' => [ names(slurp('core/session/session.c'), 'field_names'), names(slurp('bindings/session.c'), 'extra_fields') ],
    'das.criteria' => [ names(slurp('core/session/filter.c'), 'das_key_names') ],
);
for my $name (sort keys %has) {
    is_deeply([ sort @{ $has{$name} } ], [ sort keys %{ $stub{$name} } ], "the stub has all of $name");
}
done_testing();
