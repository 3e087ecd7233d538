# das - builds, checks, measures and installs. `make help` lists the targets.
#
# Variables that people set:
#   CC=clang                      another compiler
#   SAN=address,undefined         sanitizers (also SAN=thread); gets a build folder of its own
#   PREFIX=/usr/local DESTDIR=    where `make install` puts things
#   FUZZ_SECONDS=10               how long each fuzz target runs
#   ONLY=rows                     one part of `make bench`: list, start, live, rows, http,
#                                 runs, journal, kill, record, replay, sign, cloud, serve,
#                                 schedule
#   V=1                           show the commands

PREFIX       ?= /usr/local
DESTDIR      ?=
FUZZ_SECONDS ?= 10
SAN          ?=
comma        := ,
BUILD        ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

Q := $(if $(V),,@)
say = $(if $(V)$(QUIET),,@printf '  %-4s %s\n' $(1) $(2))

# --- what has to be installed (Debian 12 names) ----------------------------------------------

BUILD_DEPS := gcc libc6-dev pkg-config lua5.4 liblua5.4-dev libedit-dev libjansson-dev \
              libmariadb-dev libssl-dev libsqlite3-dev libcurl4-openssl-dev \
              libmicrohttpd-dev libzstd-dev libpcre2-dev tzdata
CHECK_DEPS := $(BUILD_DEPS) clang libclang-rt-14-dev cppcheck lua-check mariadb-server \
              mariadb-client openssl curl perl libio-socket-ssl-perl procps git tmux libxml2-utils \
              percona-toolkit chromium chromium-driver \
              $(if $(shell command -v npm),,npm)
BENCH_DEPS := $(BUILD_DEPS) mariadb-server mariadb-client percona-toolkit perl wrk nginx-light \
              libnginx-mod-http-lua lua-cjson libmicrohttpd-dev

# --- flags -------------------------------------------------------------------------------------

PKGS     := lua5.4 jansson libedit libmariadb openssl sqlite3 libzstd
# Loaded when they are needed (core/http/curl.h, core/serve/httpd.c, core/base/regex.c); the benchmark
# of HTTP alone is linked to the first.
LAZY_PKGS := libcurl libmicrohttpd libpcre2-8
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wpointer-arith -Wcast-qual -Werror
# Sanitizers hide from gcc what a string can be; those two warnings are judged without them.
OPT      := $(if $(SAN),-O1 -g -Wno-format-truncation -Wno-format-overflow -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=undefined,-O2 -g -D_FORTIFY_SOURCE=2)
# Asked once, when the first file needs it: before that pkg-config may not be installed yet.
# System headers are not ours to warn about.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS) $(LAZY_PKGS))))$(PKG_CFLAGS)
# The C library's mathematics stand apart; what gcc does by itself, clang asks them for.
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)) -lm)$(PKG_LIBS)
CFLAGS    ?=
BASE_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(BUILD) $(PKG_CFLAGS) \
              $(WARNINGS) -pthread
ALL_CFLAGS  = $(BASE_CFLAGS) $(OPT) -fstack-protector-strong -fPIE $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now -Wl,--as-needed -pthread \
              $(LDFLAGS)

# --- the program -------------------------------------------------------------------------------

LIB_SRC := $(wildcard core/base/*.c core/http/*.c core/cloud/*.c core/session/*.c core/source/*.c \
             core/store/*.c core/plan/*.c core/notify/*.c core/approval/*.c core/hook/*.c \
             bindings/*.c core/serve/*.c core/replay/*.c) \
           $(filter-out core/cli/main.c,$(wildcard core/cli/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/embedded.o $(BUILD)/page_bytes.o
LIB     := $(BUILD)/libdas.a
UNIT    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
TOOLS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/e2e/*.c))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(BUILD)/das

# It looks for the scripts that come with it beside its folder (core/base/share.h): a build below
# build/ gets a way there.
$(BUILD)/das: $(BUILD)/core/cli/main.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
	@test -e $(dir $(BUILD))scripts || ln -s $(CURDIR)/scripts $(dir $(BUILD))scripts

$(LIB): $(LIB_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

# The Lua of scripts/prelude/ travels in the binary, compiled, so that a run does not parse it again.
PRELUDE := $(sort $(wildcard scripts/prelude/*.lua))

$(BUILD)/embedded.c: $(PRELUDE) Makefile
	@mkdir -p $(@D)
	$(Q)echo '#include "bindings/embedded.h"' >$@
	$(Q)for f in $(PRELUDE); do \
	  n=$$(basename $$f .lua); luac5.4 -s -o $(BUILD)/$$n.luac $$f || exit 1; \
	  echo "static const char $${n}_code[] = {"; \
	  od -An -v -tx1 $(BUILD)/$$n.luac | sed 's/ \(..\)/(char)0x\1,/g'; echo '};'; \
	  list="$$list{\"$$n\", $${n}_code, sizeof $${n}_code}, "; \
	done >>$@; echo "const struct das_embedded das_embedded[] = {$$list{0}};" >>$@

$(BUILD)/embedded.o: $(BUILD)/embedded.c bindings/embedded.h
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# So does the page that shows a replay: style and scripts are put in where the page says @style@ and
# @script@, and it is cut where it says @data@.
PAGE := core/replay/page

$(BUILD)/page_bytes.c: $(wildcard $(PAGE)/*) Makefile
	@mkdir -p $(@D)
	$(Q)sed -e '/^@style@$$/{r $(PAGE)/page.css' -e 'd}' \
	  $(foreach f,words draw table page,-e '/^@script@$$/r $(PAGE)/$f.js') -e '/^@script@$$/d' \
	  $(PAGE)/page.html >$(BUILD)/page.html
	$(Q)echo '#include "core/replay/page_bytes.h"' >$@
	$(Q)for part in 'head:/^@data@$$/,$$d' 'tail:1,/^@data@$$/d'; do \
	  n=$${part%%:*}; echo "const char das_page_$$n[] = {"; \
	  sed "$${part#*:}" $(BUILD)/page.html | od -An -v -tx1 | sed 's/ \(..\)/(char)0x\1,/g'; \
	  echo "}; const size_t das_page_$${n}_size = sizeof das_page_$$n;"; \
	done >>$@

$(BUILD)/page_bytes.o: $(BUILD)/page_bytes.c core/replay/page_bytes.h
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIB) $(PKG_LIBS)

# Nothing of the libraries is used, and all of them are loaded.
$(BUILD)/tests/bench/http $(BUILD)/tests/bench/cloud: PKG_LIBS += $(shell pkg-config --libs $(LAZY_PKGS))
# A rival: the server library alone.
$(BUILD)/tests/bench/httpd_bare: tests/bench/httpd_bare.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lmicrohttpd
$(BUILD)/tests/bench/empty: tests/bench/empty.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--no-as-needed -o $@ $< $(PKG_LIBS)

# The program without one of its safeguards, and one that a test can kill at every step: single
# files are compiled again and come before the library.
define variant
VARIANTS += $(BUILD)/das-$(1)
$(BUILD)/das-$(1): $(BUILD)/core/cli/main.o $(patsubst %.c,$(BUILD)/$(1)/%.o,$(3)) $(LIB)
	$(call say,LD,$(BUILD)/das-$(1))
	$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)

$(BUILD)/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(ALL_CFLAGS) -D$(2) -MMD -MP -c -o $$@ $$<

-include $(patsubst %.c,$(BUILD)/$(1)/%.d,$(3))
endef
$(eval $(call variant,without-recheck,DAS_WITHOUT_RECHECK,core/plan/judge.c))
$(eval $(call variant,without-identity,DAS_WITHOUT_IDENTITY,core/plan/fire.c))
$(eval $(call variant,without-limit-lock,DAS_WITHOUT_LIMIT_LOCK,core/store/budget.c))
# That one's clock can be moved as well: see tests/faults/clock.c.
$(eval $(call variant,faults,DAS_FAULTS,$(shell grep -l '"core/base/fault.h"' $(LIB_SRC)) tests/faults/clock.c))
$(BUILD)/das-faults: private LDFLAGS += $(addprefix -Wl$(comma)--wrap=,clock_gettime nanosleep pthread_cond_timedwait)

-include $(LIB_OBJ:.o=.d) $(BUILD)/core/cli/main.d $(UNIT:=.d) $(TOOLS:=.d) $(BENCHES:=.d)

# --- the two commands --------------------------------------------------------------------------

demo: deps
	@$(MAKE) --no-print-directory all
	@scripts/demo/demo.sh $(BUILD)/das

# With SAN= only what runs compiled code: the guards on the text of the project need it once.
# What takes longest begins first.
LONG   = tests/e2e/torture.t tests/e2e/runbook_death.t
CHECKS = $(LONG) $(UNIT) tests/lua/*.t tests/policies/*.t tests/hooks/*.t tests/runbooks/*.t $(filter-out $(LONG),$(wildcard tests/e2e/*.t)) $(if $(SAN),,tests/project/*.t)

check: deps-check
	@$(MAKE) -s --no-print-directory QUIET=1 -j2 all $(UNIT) $(TOOLS) $(VARIANTS)
	@DAS=$(CURDIR)/$(BUILD)/das BUILD=$(BUILD) prove -j2 --merge --timer $(CHECKS)

unit: $(UNIT)
	@prove $(UNIT)

# --- the rest ------------------------------------------------------------------------------------

# Each target runs FUZZ_SECONDS on its seeds and what it finds; a crash ends make with its input.
fuzz: deps-check
	@$(MAKE) -s --no-print-directory QUIET=1 -j2 BUILD=build/fuzz CC=clang fuzz-build
	@set -e; for f in $(FUZZERS); do \
	  mkdir -p build/fuzz/corpus/$$f; seeds=tests/fuzz/seeds/$${f#fuzz_}; \
	  printf '%s: ' $$f; \
	  build/fuzz/tests/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=65536 \
	    -artifact_prefix=build/fuzz/ build/fuzz/corpus/$$f $$([ -d $$seeds ] && echo $$seeds) \
	    >build/fuzz/$$f.log 2>&1 || { tail -n 40 build/fuzz/$$f.log; exit 1; }; \
	  grep -h '^Done' build/fuzz/$$f.log; done

fuzz-build: OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
fuzz-build: $(FUZZERS:%=$(BUILD)/tests/fuzz/%)

$(BUILD)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer,address,undefined -pie -pthread -o $@ $< $(LIB) $(PKG_LIBS)

bench: deps-bench
	@$(MAKE) -s --no-print-directory QUIET=1 -j2 all $(TOOLS) $(BENCHES)
	@DAS=$(CURDIR)/$(BUILD)/das BUILD=$(BUILD) perl -Itests/e2e/lib tests/bench/run.pl $(ONLY)

install: all
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/share/das/policies' \
	  '$(DESTDIR)$(PREFIX)/share/das/hooks' \
	  '$(DESTDIR)$(PREFIX)/share/das/runbooks' \
	  '$(DESTDIR)$(PREFIX)/share/das/types' '$(DESTDIR)$(PREFIX)/share/doc/das' \
	  '$(DESTDIR)$(PREFIX)/lib/systemd/system'
	install -m 755 $(BUILD)/das '$(DESTDIR)$(PREFIX)/bin/das'
	install -m 644 scripts/policies/*.lua '$(DESTDIR)$(PREFIX)/share/das/policies/'
	install -m 644 scripts/hooks/*.lua '$(DESTDIR)$(PREFIX)/share/das/hooks/'
	install -m 644 scripts/runbooks/*.lua '$(DESTDIR)$(PREFIX)/share/das/runbooks/'
	install -m 644 scripts/types/das.d.lua '$(DESTDIR)$(PREFIX)/share/das/types/'
	install -m 644 scripts/types/luacheckrc '$(DESTDIR)$(PREFIX)/share/das/luacheckrc'
	sed 's|/usr/local|$(PREFIX)|' scripts/types/luarc.json >'$(DESTDIR)$(PREFIX)/share/das/luarc.json'
	sed 's|/usr/local|$(PREFIX)|' docs/das-serve.service >'$(DESTDIR)$(PREFIX)/lib/systemd/system/das-serve.service'
	install -m 644 README.md CHANGELOG.md LICENSE docs/*.md '$(DESTDIR)$(PREFIX)/share/doc/das/'

# What is described in one place and read in another; tests/project/docs.t looks for drift.
docs: all
	perl docs/api.pl >docs/api.md
	$(BUILD)/das check --names | perl docs/luacheckrc.pl >scripts/types/luacheckrc

compile_commands.json: Makefile
	@{ sep='['; for f in $(LIB_SRC) core/cli/main.c $(wildcard tests/*/*.c); do \
	  printf '%s\n{"directory":"%s","file":"%s","command":"cc %s -c %s"}' \
	    "$$sep" '$(CURDIR)' "$$f" '$(filter-out -Werror,$(BASE_CFLAGS))' "$$f"; sep=','; \
	  done; echo ']'; } >$@

print-cflags:
	@echo '$(BASE_CFLAGS)'

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build compile_commands.json

help:
	@echo 'make demo                    install what is missing, build, show the main job'
	@echo 'make check                   install what is missing, build, run every test'
	@echo 'make check SAN=address,undefined   the same under sanitizers (or SAN=thread)'
	@echo 'make                         build build/das'
	@echo 'make unit                    the C unit tests only'
	@echo 'make fuzz FUZZ_SECONDS=10    run each fuzz target so long'
	@echo 'make bench                   measure against pt-kill, a bare client and grep'
	@echo 'make docs                    write docs/api.md and luacheckrc anew'
	@echo 'make install PREFIX=/usr/local DESTDIR=   install the program, policies and editor stub'
	@echo 'make compile_commands.json   for clangd and other tools'
	@echo 'make format, make clean      rewrite in the house style; remove what was built'
	@echo 'V=1 shows the commands.'

# $(1): package names. Says what it installs; as root or through sudo.
define install_missing
	@missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | \
	    grep -q 'ok installed' || echo $$p; done | sort -u | tr '\n' ' '); \
	if [ -n "$$missing" ]; then \
	  echo "installing with apt: $$missing"; \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    $$missing >/dev/null; fi
endef

deps:
	$(call install_missing,$(BUILD_DEPS))
deps-check:
	$(call install_missing,$(CHECK_DEPS))
deps-bench:
	$(call install_missing,$(BENCH_DEPS))


.PHONY: print-cflags all demo check docs unit fuzz fuzz-build bench install format clean help deps deps-check deps-bench
.DELETE_ON_ERROR:
