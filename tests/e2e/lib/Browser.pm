# Browser.pm - a real Chromium, led through chromedriver (WebDriver: JSON over HTTP).
#
#   Browser::installed()             is there one?
#   my $b = Browser->new(lang => 'en-GB', zone => 'Asia/Tokyo');  dies when it does not start
#   $b->go("file:///x.html")
#   $b->run('return document.title', @args)   what the script returns
#   $b->until('return …')            runs it until it is true; dies after a long while
#   $b->click($css), $b->type($css, $text)    as a hand would; keys: $Browser::key{Enter} in $text
#   $b->text($css)                   as shown; one element
#   $b->size($width, $height)        of the window's inside
#   $b->media(scheme => 'dark', type => 'print')
#   $b->offline                      from here on every request fails
#   $b->told                         messages of the console since the last call: [{level, message}]
#   $b->shot($file)                  PNG of what is seen
# The browser and all it wrote are gone when the object is.
package Browser;
use strict;
use warnings;
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(sleep time);

our %key = (Enter => "\x{E007}", Tab => "\x{E004}", Space => "\x{E00D}", Escape => "\x{E00C}", Left => "\x{E012}",
    Right => "\x{E014}", Home => "\x{E011}", End => "\x{E010}", Backspace => "\x{E003}");
my $patience = 90;    # s; only a test that fails waits so long
my $json = JSON::PP->new->utf8->allow_nonref;

sub found { my ($name) = @_; return (grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/bin')[0] }
sub installed { return found('chromedriver') && found('chromium') }

sub free_port {
    for (1 .. 200) {
        my $port = 20000 + int rand 12000;
        return $port if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port);
    }
    die "no free port\n";
}

sub new {
    my ($class, %opt) = @_;
    my $self = bless { dir => tempdir('das-browser-XXXXXX', TMPDIR => 1, CLEANUP => 1), owner => $$ }, $class;
    local @ENV{qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY)};
    delete @ENV{qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY)};
    $self->{http} = HTTP::Tiny->new(timeout => $patience);
    my $port = free_port();
    $self->{base} = "http://127.0.0.1:$port";
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        setpgrp;
        @ENV{qw(HOME TMPDIR)} = ($self->{dir}) x 2;
        $ENV{TZ} = $opt{zone} if $opt{zone};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        exec found('chromedriver'), "--port=$port" or POSIX::_exit(127);
    }
    my $end = time + $patience;
    until ($self->{http}->get("$self->{base}/status")->{success}) {
        die "chromedriver does not start\n" if time > $end || waitpid($self->{pid}, POSIX::WNOHANG) > 0;
        sleep 0.05;
    }
    my @args = (qw(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
      --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --force-color-profile=srgb),
        "--user-data-dir=$self->{dir}/profile", '--lang=' . ($opt{lang} || 'en-GB'));
    my $made = $self->ask(POST => '/session', { capabilities => { alwaysMatch => {
        'goog:chromeOptions' => { binary => found('chromium'), args => \@args },
        'goog:loggingPrefs' => { browser => 'ALL' } } } });
    $self->{session} = "/session/$made->{sessionId}";
    return $self;
}

sub ask {
    my ($self, $method, $path, $what) = @_;
    my $answer = $self->{http}->request($method, $self->{base} . ($self->{session} || '') . $path,
        { headers => { 'content-type' => 'application/json' }, $what ? (content => $json->encode($what)) : () });
    my $value = eval { $json->decode($answer->{content})->{value} };
    die "$method $path: ", (ref $value eq 'HASH' && $value->{message}) || $answer->{content}, "\n" if !$answer->{success};
    return $value;
}

sub go { my ($self, $url) = @_; $self->ask(POST => '/url', { url => $url }); return }
sub run { my ($self, $script, @args) = @_; return $self->ask(POST => '/execute/sync', { script => $script, args => \@args }) }
sub cdp { my ($self, $name, $params) = @_; return $self->ask(POST => '/goog/cdp/execute', { cmd => $name, params => $params || {} }) }
sub told { my ($self) = @_; return $self->ask(POST => '/se/log', { type => 'browser' }) }

sub until {
    my ($self, $script, @args) = @_;
    my $end = time + $patience;
    while (time < $end) {
        my $value = $self->run($script, @args);
        return $value if $value;
        sleep 0.02;
    }
    die "it never came true: $script\n";
}

sub element {
    my ($self, $css) = @_;
    my ($id) = values %{ $self->ask(POST => '/element', { using => 'css selector', value => $css }) };
    return "/element/$id";
}

sub click { my ($self, $css) = @_; $self->ask(POST => $self->element($css) . '/click', {}); return }
sub type { my ($self, $css, $text) = @_; $self->ask(POST => $self->element($css) . '/value', { text => $text }); return }
sub text { my ($self, $css) = @_; return $self->ask(GET => $self->element($css) . '/text') }

# Keys for whatever has the focus.
sub press {
    my ($self, @keys) = @_;
    $self->ask(POST => '/actions', { actions => [ { type => 'key', id => 'keys', actions =>
        [ map { ({ type => 'keyDown', value => $_ }, { type => 'keyUp', value => $_ }) } @keys ] } ] });
    return;
}

sub size {
    my ($self, $width, $height) = @_;
    $self->cdp('Emulation.setDeviceMetricsOverride', { width => 0 + $width, height => 0 + $height, deviceScaleFactor => 1, mobile => JSON::PP::false });
    return;
}

sub media {
    my ($self, %opt) = @_;
    $self->cdp('Emulation.setEmulatedMedia', { media => $opt{type} || '', features => [ { name => 'prefers-color-scheme', value => $opt{scheme} || 'light' } ] });
    return;
}

sub offline {
    my ($self) = @_;
    $self->cdp('Network.enable');
    $self->cdp('Network.emulateNetworkConditions', { offline => JSON::PP::true, latency => 0, downloadThroughput => -1, uploadThroughput => -1 });
    return;
}

sub shot {
    my ($self, $file) = @_;
    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out decode_base64($self->ask(GET => '/screenshot'));
    close $out or die "$file: $!\n";
    return;
}

# What it started is in its process group.
sub DESTROY {
    my ($self) = @_;
    return if !$self->{pid} || $self->{owner} != $$;
    local ($?, $!, $@);
    eval { $self->ask(DELETE => '') } if $self->{session};
    kill 'KILL', -$self->{pid};
    waitpid delete $self->{pid}, 0;
}

1;
