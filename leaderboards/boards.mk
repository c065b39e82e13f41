# The shipped boards. `make board-synthetic` needs nothing; `make board-ravdess RAVDESS=DIR URBANSOUND8K=DIR
# SER_CNN=ser_cnn.toml` needs RAVDESS, UrbanSound8K and the network of examples/ser_cnn; `make site` builds
# the pages. A model that is on a board with this fingerprint gets its row again, others stay.
.PHONY: board-synthetic add-synthetic board-ravdess verify-boards site ci-baseline

RUNS = runs/leaderboards
SYNTHETIC = --dataset synthetic --split test --corruption audio/environment --corruption vision/occlusion_mask \
	--corruption text/typo --corruption modality/dropout
RAVDESS_SUITE = --dataset ravdess --sample-rate native --labels closed --severity 1-5 \
	--corruption audio/urban_noise:noise_class=drilling --corruption audio/urban_noise:noise_class=jackhammer \
	--corruption audio/urban_noise:noise_class=street_music --noise-folds 1,3,5,7 --corruption audio/environment
, := ,
SER_CNN ?= examples/ser_cnn/ser_cnn.toml

# $(call add,BOARD,NAME,SUITE,MODEL AND ITS OPTIONS,WHAT THE SUBMITTER SAYS)
define add
rm -rf $(RUNS)/$(1)/$(2)
$(BIN)/merbench eval $(3) --verify --out $(RUNS)/$(1)/$(2) --model $(4)
$(BIN)/merbench leaderboard add $(RUNS)/$(1)/$(2) --board leaderboards/$(1) --submitter "The merbench authors" $(5)

endef

board-synthetic: $(READY)
	$(call add,synthetic,majority,$(SYNTHETIC) --severity 1-5,majority,--recipe none --licence Apache-2.0 \
		--about "Answers how often each label occurs in the training split; the floor.")
	$(call add,synthetic,late-fusion,$(SYNTHETIC) --severity 1-5,late-fusion,--recipe clean --licence Apache-2.0 \
		--about "A small tri-modal network: log-mel$(,) picture and spelling encoders whose evidence adds up.")
	$(call add,synthetic,emollama-base,$(SYNTHETIC) --severity 1-5,emollama-base,--recipe clean --licence Apache-2.0 \
		--about "A tiny Emotion-LLaMA: HuBERT$(,) MAE$(,) VideoMAE and EVA-style encoders before a LLaMA with LoRA.")
	$(call add,synthetic,emollama-fgsm,$(SYNTHETIC) --severity 1-5,emollama-fgsm,--recipe fgsm --licence Apache-2.0 \
		--about "emollama-base$(,) trained further with half of its rows under attack by FGSM.")
	$(call add,synthetic,emollama-pgd,$(SYNTHETIC) --severity 1-5,emollama-pgd,--recipe pgd --licence Apache-2.0 \
		--about "emollama-base$(,) trained further with half of its rows under attack by PGD.")
	$(call add,synthetic,emollama-noise-aware,$(SYNTHETIC) --severity 1-5,emollama-noise-aware,--recipe noise-aware --licence Apache-2.0 \
		--about "emollama-base$(,) trained further with natural noise and PGD that its encoders are to confuse.")
	$(BIN)/merbench leaderboard verify leaderboards/synthetic

# make add-synthetic MODEL=emollama-base RECIPE=clean ABOUT="what it is"; MODEL may go on with options of eval
add-synthetic: $(READY)
	$(call add,synthetic,$(firstword $(MODEL)),$(SYNTHETIC) --severity 1-5,$(MODEL),--recipe $(RECIPE) --licence Apache-2.0 --about "$(ABOUT)")

board-ravdess: $(READY)
	$(call add,ravdess,majority,$(RAVDESS_SUITE) --root $(RAVDESS) --noise-root $(URBANSOUND8K),majority,\
		--recipe none --licence Apache-2.0 \
		--about "Answers how often each label occurs$(,) the best constant answer in hindsight; the floor.")
	$(call add,ravdess,ser-cnn,$(RAVDESS_SUITE) --root $(RAVDESS) --noise-root $(URBANSOUND8K),\
		$(SER_CNN) --allow-contaminated,--recipe clean --licence MIT \
		--url https://github.com/MiteshPuthran/Speech-Emotion-Analyzer \
		--about "Speech-Emotion-Analyzer: a CNN over mean MFCCs; it cannot answer neutral$(,) disgust or surprised.")
	$(BIN)/merbench leaderboard verify leaderboards/ravdess

verify-boards: $(READY)
	$(BIN)/merbench leaderboard verify leaderboards

site: $(READY)
	$(BIN)/merbench leaderboard render leaderboards --out site

# The frozen suite of examples/ci and its baseline; to be made again when a corruption or the evaluator changed.
ci-baseline: $(READY)
	rm -rf examples/ci/suite/recipe.json suites/ci runs/ci
	$(BIN)/merbench corrupt $(SYNTHETIC) --limit 200 --severity 1,3,5 --recipe-only --out examples/ci/suite
	$(BIN)/merbench suite rebuild examples/ci/suite --out suites/ci
	$(BIN)/merbench eval --suite suites/ci --model late-fusion --out runs/ci
	$(BIN)/merbench check runs/ci --write-baseline examples/ci/baseline.json
