#!/usr/bin/perl
# api.pl STUB - writes docs/api.md (to standard output) from the editor stub, which is the one place
# where the API is described. `make docs` runs it; tests/project/docs.t looks for drift.
#
# What it reads: ---text, @class, @field, @operator, @param, @return, @alias with its | lines, `function`.
# A fenced block in a comment is an example and runs in the tests.
use strict;
use warnings;

my $stub = shift // 'scripts/types/das.d.lua';
open my $in, '<', $stub or die "$stub: $!\n";

# --- reading ------------------------------------------------------------------------------------
# An entry: {name, kind (class, alias, function), doc => [lines], fields, params, returns, ...}
my (@entries, %by_name, @doc, @params, @returns, $entry);

sub split_type {    # "integer|string seconds, or ..." -> type, text; blanks inside brackets belong to the type
    my ($rest) = @_;
    my ($depth, $quoted, $at) = (0, 0, 0);
    for my $c (split //, $rest) {
        if ($c eq '"') { $quoted = !$quoted }
        elsif (!$quoted && $c =~ /[({<\[]/) { $depth++ }
        elsif (!$quoted && $c =~ /[)}>\]]/) { $depth-- }
        elsif (!$quoted && !$depth && $c eq ' ') {
            last unless substr($rest, 0, $at) =~ /[:|]$/;    # fun(x): y
        }
        $at++;
    }
    return (substr($rest, 0, $at), substr($rest, $at) =~ s/^\s+//r);
}

sub begin {
    my (%new) = @_;
    $entry = { doc => [@doc], fields => [], params => [@params], returns => [@returns], operators => [], values => [], %new };
    push @entries, $entry;
    $by_name{ $new{name} } = $entry;
    @doc = @params = @returns = ();
}

while (<$in>) {
    chomp;
    if (/^---\@class (?:\(exact\) )?([\w.]+)/) { begin(kind => 'class', name => $1) }
    elsif (/^---\@alias ([\w.]+)/) { begin(kind => 'alias', name => $1) }
    elsif (/^---\| ?(.*)/) { push @{ $entry->{values} }, $1 =~ /"([^"]+)"/g }
    elsif (/^---\@field (\[?\w+\]?)(\??) (.*)/) {
        my ($type, $text) = split_type($3);
        push @{ $entry->{fields} }, { name => $1, optional => $2, type => $type, text => join ' ', grep { length } @doc, $text };
        @doc = ();
    }
    elsif (/^---\@operator (\w+)(?:\((.*?)\))?: (\S+)/) { push @{ $entry->{operators} }, [ $1, $2 // '', $3 ] }
    elsif (/^---\@param (\S+?)(\??) (.*)/) {
        my ($type, $text) = split_type($3);
        push @params, { name => $1, optional => $2, type => $type, text => $text };
    }
    elsif (/^---\@return (.*)/) {
        my ($type, $text) = split_type($1);
        push @returns, { type => $type, text => $text };
    }
    elsif (/^---\@/) { }
    elsif (/^---(?!-)(.*)/) { push @doc, $1 =~ s/^ (?=```)//r }
    elsif (/^function ([\w.]+)([.:])(\w+)\((.*?)\)/) {
        my ($of, $mark, $name, $args) = ($1, $2, $3, $4);
        begin(kind => 'function', of => $of =~ /^das\b/ ? $of : "das.$of", name => "$of$mark$name", args => $args);
    }
    elsif (/^$/) { @doc = @params = @returns = () }
}

# --- writing ------------------------------------------------------------------------------------

sub anchor { my ($title) = @_; $title = lc $title; $title =~ s/[^\w\- ]//g; $title =~ tr/ /-/; return $title }

sub title { my ($e) = @_; return $e->{kind} eq 'function' ? "$e->{name}($e->{args})" : $e->{name} }

sub type {    # with links to what this page describes
    my ($type) = @_;
    my $optional = $type =~ s/\?$//;
    $type =~ s/\|/ or /g unless $type =~ /^fun/;
    $type = join '', map {
        my ($name, $array) = /^(das\.[\w.]+?)((?:\[\])?)$/;
        $name && $by_name{$name} ? "[`$name`](#" . anchor($name) . ')' . ($array ? ' list' : '') : /^\s*or\s*$|^$/ ? $_ : "`$_`"
    } split /( or )/, $type;
    return $type . ($optional ? ' or `nil`' : '');
}

sub paragraphs {    # text outside of fences is joined, fences stay as they are
    my (@lines) = @_;
    my ($out, $fence) = ('', 0);
    for (@lines) {
        $fence = !$fence if /^```/;
        $out .= "\n" if /^```lua/ && $out =~ /\S/;
        $out .= "$_\n";
    }
    return $out;
}

sub table {
    my ($head, @rows) = @_;
    return '' unless @rows;
    return join '', "\n", map { '| ' . join(' | ', @$_) . " |\n" } $head, [ map { '---' } @$head ],
        map { [ map { s/\|/\\|/gr } @$_ ] } @rows;
}

sub write_function {
    my ($f) = @_;
    print "\n### ", title($f), "\n\n";
    my @text = @{ $f->{doc} };
    my ($first) = grep { $text[$_] =~ /^```/ } 0 .. $#text;
    my @example = defined $first ? splice @text, $first : ();
    print paragraphs(@text);
    print "\n" if @text && (@{ $f->{params} } || @{ $f->{returns} });
    print "- `$_->{name}`", ($_->{optional} ? ' (optional)' : ''), ': ', type($_->{type}), ($_->{text} ? " - $_->{text}" : ''), "\n"
        for @{ $f->{params} };
    my @returns = @{ $f->{returns} };
    if (@returns == 3 && $returns[2]{text} =~ /^code/) {
        print '- returns ', type($returns[0]{type} =~ s/\?$//r), "; or `nil`, a message and a code\n";
    }
    elsif (@returns == 4 && $returns[3]{type} eq 'das.cloud_failure?') {
        my $what = $returns[0]{type} =~ s/\?$|\|nil$//r;
        print '- returns ', type($what), '; or `nil`, a message, a code and ', type('das.cloud_failure'), "\n";
    }
    elsif (@returns) {
        print '- returns ', join(', ', map { type($_->{type}) . ($_->{text} ? " - $_->{text}" : '') } @returns), "\n";
    }
    print "\n", paragraphs(@example) if @example;
}

sub write_type {
    my ($t) = @_;
    print "\n## $t->{name}\n", @{ $t->{doc} } ? "\n" : '', paragraphs(@{ $t->{doc} });
    print join(', ', map { "`\"$_\"`" } @{ $t->{values} }), "\n" if @{ $t->{values} };
    my %how = (band => 'a & b', bor => 'a | b', bnot => '~a');
    print "\nOperators: ", join(', ', map { "`$how{$_->[0]}`" } @{ $t->{operators} }), "\n" if @{ $t->{operators} };
    print table([ 'field', 'type', 'meaning' ], map {
        [ "`$_->{name}`", type($_->{type}) . ($_->{optional} ? ', optional' : ''), $_->{text} ]
    } @{ $t->{fields} });
    write_function($_) for grep { $_->{kind} eq 'function' && $_->{of} eq $t->{name} } @entries;
}

my @types = grep { $_->{kind} ne 'function' } @entries;
@types = ((grep { $_->{name} eq 'das' } @types), grep { $_->{name} ne 'das' } @types);

print <<"PAGE";
# The Lua API

Made from [$stub](../$stub) by `make docs`: change that file, not
this page. The examples run in the tests.

**Units.** Durations are whole seconds, or text such as `"90s"`, `"5m"`, `"2h"`, `"1d"`. Moments are Unix seconds, those that the cloud
tells milliseconds. Ids are
64-bit integers and stay exact.

**Errors.** A mistake in the script (an unknown name, key or option, a wrong type, a bad range) raises an error with the
script's line and, where there is one, the name that was probably meant. What the world does wrong (a server that is not
there, a missing privilege) returns `nil, message, code`. Codes: `"connect"`, `"auth"`, `"denied"`, `"timeout"`, `"io"`,
`"data"`, `"gone"`, `"unsupported"`, `"blocked"`, `"busy"` and others; branch on the code, show the message.

**A dry run** unless das was started with `--apply`. No function changes that.

**Besides `das`** a script has Lua 5.4's base functions, `coroutine`, `table`, `string`, `math`, `utf8`, the clock functions
of `os`, and `require` for modules beside it. `das check --names` lists them all.

## Contents

PAGE
for my $t (@types) {
    my @functions = grep { $_->{kind} eq 'function' && $_->{of} eq $t->{name} } @entries;
    print "- [$t->{name}](#", anchor($t->{name}), ')';
    print ': ', join(', ', map { my ($short) = $_->{name} =~ /(\w+)$/; "[$short](#" . anchor(title($_)) . ')' } @functions) if @functions;
    print "\n";
}
write_type($_) for @types;
