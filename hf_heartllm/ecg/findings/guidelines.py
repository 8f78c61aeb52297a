"""The texts that the usual ranges are taken from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guideline:
    """A text that says what is usual.

    Attributes:
        name: how findings and tables call it.
        citation: where it was published; for a convention what it is.
    """

    name: str
    citation: str


AHA_III = Guideline(
    "AHA/ACCF/HRS 2009 part III",
    "Surawicz B, Childers R, Deal BJ, Gettes LS. AHA/ACCF/HRS recommendations for the standardization and "
    "interpretation of the electrocardiogram, part III: intraventricular conduction disturbances. "
    "J Am Coll Cardiol 2009;53:976-981",
)
AHA_IV = Guideline(
    "AHA/ACCF/HRS 2009 part IV",
    "Rautaharju PM, Surawicz B, Gettes LS. AHA/ACCF/HRS recommendations for the standardization and interpretation "
    "of the electrocardiogram, part IV: the ST segment, T and U waves, and the QT interval. "
    "J Am Coll Cardiol 2009;53:982-991",
)
AHA_V = Guideline(
    "AHA/ACCF/HRS 2009 part V",
    "Hancock EW, Deal BJ, Mirvis DM, Okin P, Kligfield P, Gettes LS. AHA/ACCF/HRS recommendations for the "
    "standardization and interpretation of the electrocardiogram, part V: electrocardiogram changes associated with "
    "cardiac chamber hypertrophy. J Am Coll Cardiol 2009;53:992-1002",
)
AHA_VI = Guideline(
    "AHA/ACCF/HRS 2009 part VI",
    "Wagner GS, Macfarlane P, Wellens H, et al. AHA/ACCF/HRS recommendations for the standardization and "
    "interpretation of the electrocardiogram, part VI: acute ischemia/infarction. J Am Coll Cardiol 2009;53:1003-1011",
)
UNIVERSAL = Guideline(
    "Universal Definition of MI 2018",
    "Thygesen K, Alpert JS, Jaffe AS, et al. Fourth universal definition of myocardial infarction (2018). "
    "Circulation 2018;138:e618-e651",
)
BRADYCARDIA = Guideline(
    "ACC/AHA/HRS 2018 bradycardia",
    "Kusumoto FM, Schoenfeld MH, Barrett C, et al. 2018 ACC/AHA/HRS guideline on the evaluation and management of "
    "patients with bradycardia and cardiac conduction delay. J Am Coll Cardiol 2019;74:e51-e156",
)
ESC_2022 = Guideline(
    "ESC 2022 ventricular arrhythmias",
    "Zeppenfeld K, Tfelt-Hansen J, de Riva M, et al. 2022 ESC guidelines for the management of patients with "
    "ventricular arrhythmias and the prevention of sudden cardiac death. Eur Heart J 2022;43:3997-4126",
)
FRIDERICIA = Guideline(
    "Fridericia 1920",
    "Fridericia LS. Die Systolendauer im Elektrokardiogramm bei normalen Menschen und bei Herzkranken. "
    "Acta Med Scand 1920;53:469-486",
)
SOKOLOW_LEFT = Guideline(
    "Sokolow-Lyon 1949 (left)",
    "Sokolow M, Lyon TP. The ventricular complex in left ventricular hypertrophy as obtained by unipolar precordial "
    "and limb leads. Am Heart J 1949;37:161-186",
)
SOKOLOW_RIGHT = Guideline(
    "Sokolow-Lyon 1949 (right)",
    "Sokolow M, Lyon TP. The ventricular complex in right ventricular hypertrophy as obtained by unipolar precordial "
    "and limb leads. Am Heart J 1949;38:273-294",
)
CORNELL = Guideline(
    "Cornell (Casale 1987)",
    "Casale PN, Devereux RB, Alonso DR, Campo E, Kligfield P. Improved sex-specific criteria of left ventricular "
    "hypertrophy for clinical and computer interpretation of electrocardiograms: validation with autopsy findings. "
    "Circulation 1987;75:565-572",
)
LOW_VOLTAGE = Guideline(
    "low voltage, as in Chinitz 2008",
    "Chinitz JS, Cooper JM, Verdino RJ. Electrocardiogram voltage discordance: interpretation of low QRS voltage only "
    "in the limb leads. J Electrocardiol 2008;41:281-286 (states the usual definition)",
)
CONVENTION = Guideline("convention", "what textbooks of electrocardiography agree on; no guideline is behind it")
OURS = Guideline("this project", "a choice of this project, made on recordings without a finding")
